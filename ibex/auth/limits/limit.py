"""One limit, and the limits that a request is under."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, Self
from uuid import UUID

from ibex.auth.limits.month import Exhausted
from ibex.auth.limits.scope import Scope

Dimension = Literal["requests", "tokens", "concurrent"]

DIMENSION_NAMES = {
    "requests": "requests per minute",
    "tokens": "tokens per minute",
    "concurrent": "concurrent requests",
}
_IN_KEYS = {"requests": "rpm", "tokens": "tpm", "concurrent": "concurrent"}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many requests or tokens in any 60 seconds, or requests at a time, for one of a scope.

    `subject` is an id, or what `end_user_subject` makes of a name. `name` is unique within the installation.
    """

    scope: Scope
    dimension: Dimension
    subject: str
    most: int
    name: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{_IN_KEYS[self.dimension]}:{self.scope}:{self.subject}")


@dataclass(frozen=True, slots=True)
class LimitSet:
    """Everything that one kind of request is under.

    Narrowest first, because of limits that are equally tight the first is told. `exhausted` is what was
    allowed for the month and is used up.
    """

    limits: tuple[Limit, ...]
    counts_tokens: bool
    lease_names: tuple[str, ...]
    exhausted: Exhausted | None = None

    @classmethod
    def of(cls, limits: Iterable[Limit], exhausted: Exhausted | None = None) -> Self:
        found = tuple(limits)
        return cls(
            found,
            any(limit.dimension == "tokens" for limit in found),
            tuple(limit.name for limit in found if limit.dimension == "concurrent"),
            exhausted,
        )


def end_user_subject(org_id: UUID, name: str) -> str:
    """What stands for an end user's name in keys: the name is not shown, and may have any length."""
    return blake2b(name.encode(), digest_size=16, key=org_id.bytes).hexdigest()
