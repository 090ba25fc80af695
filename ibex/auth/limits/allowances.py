"""How much everybody in an organization is allowed: overrides, and defaults where there are none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from ibex.auth.limits.limit import Scope
from ibex.settings import LimitSettings

# Stands for everyone in a scope that has no override of its own.
EVERYONE = "*"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one token, agent, end user or organization is allowed. None is not limited here; 0 is nothing."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None

    def or_else(self, other: "Allowance") -> "Allowance":
        """This, and where it says nothing, the other."""
        return Allowance(
            _first(self.requests_per_minute, other.requests_per_minute),
            _first(self.tokens_per_minute, other.tokens_per_minute),
            _first(self.concurrent_requests, other.concurrent_requests),
        )


NOTHING_SAID = Allowance()


@dataclass(frozen=True, slots=True)
class LimitDefaults:
    """What holds for everybody in the installation who has no override."""

    token: Allowance = NOTHING_SAID
    agent: Allowance = NOTHING_SAID
    end_user: Allowance = NOTHING_SAID
    organization: Allowance = NOTHING_SAID

    @classmethod
    def of(cls, settings: LimitSettings) -> Self:
        return cls(
            token=Allowance(settings.token_rpm, settings.token_tpm, settings.token_concurrent),
            agent=Allowance(settings.agent_rpm, settings.agent_tpm, settings.agent_concurrent),
            end_user=Allowance(settings.user_rpm, settings.user_tpm, settings.user_concurrent),
            organization=Allowance(
                settings.organization_rpm, settings.organization_tpm, settings.organization_concurrent
            ),
        )

    def in_scope(self, scope: Scope) -> Allowance:
        allowance: Allowance = getattr(self, scope)
        return allowance


@dataclass(frozen=True, slots=True)
class Allowances:
    """The defaults and one organization's overrides, by scope and subject.

    `limits_end_users` is whether any end user is limited at all.
    """

    defaults: LimitDefaults
    overrides: Mapping[tuple[Scope, str], Allowance] = field(default_factory=dict)
    limits_end_users: bool = field(init=False)

    def __post_init__(self) -> None:
        are_overridden = any(scope == "end_user" for scope, _ in self.overrides)
        limits_end_users = are_overridden or self.defaults.end_user != NOTHING_SAID
        object.__setattr__(self, "limits_end_users", limits_end_users)

    def of(self, scope: Scope, subject: str) -> Allowance:
        """The subject's own, then that of everyone, then the default; each of the three limits by itself."""
        own = self.overrides.get((scope, subject), NOTHING_SAID)
        everyone = self.overrides.get((scope, EVERYONE), NOTHING_SAID)
        return own.or_else(everyone).or_else(self.defaults.in_scope(scope))


def _first(mine: int | None, other: int | None) -> int | None:
    return other if mine is None else mine
