"""Which version a session gets while one is being rolled out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

from ibex.context.directives.directive import Directive

_BYTES = 8
_WHOLE = float(1 << (8 * _BYTES))


@dataclass(frozen=True, slots=True)
class InUse:
    """The versions that sessions of an agent may have.

    `by_mark` has all of them, those included that only sessions keep which have them already. `active_mark`
    is that of the active one.
    """

    active: Directive | None
    active_mark: str
    candidate: Directive | None
    by_mark: Mapping[str, Directive]

    @classmethod
    def of(cls, directives: Sequence[Directive]) -> "InUse":
        active = next((each for each in directives if each.status == "active"), None)
        return cls(
            active=active,
            active_mark="" if active is None else mark(active),
            candidate=next((each for each in directives if each.share is not None), None),
            by_mark={mark(each): each for each in directives},
        )

    @property
    def is_settled(self) -> bool:
        """Whether all sessions have the same."""
        return self.candidate is None and len(self.by_mark) == (self.active is not None)

    def drawn(self, conversation: str) -> Directive | None:
        """The version of a session that has none yet. Whoever draws the same session gets the same, and as
        the share grows none leaves the candidate."""
        candidate = self.candidate
        if candidate is not None and position(candidate.id, conversation) < (candidate.share or 0.0):
            return candidate
        return self.active


def position(directive_id: UUID, conversation: str) -> float:
    """Where a session stands in a rollout, in [0, 1): evenly, and elsewhere in each rollout, so that it is
    not the same sessions which have every new version first."""
    digest = blake2b(conversation.encode(), digest_size=_BYTES, key=directive_id.bytes).digest()
    # One that would be rounded up to 1 stays below.
    return min(int.from_bytes(digest, "big") / _WHOLE, 1.0 - 2.0**-53)


def mark(directive: Directive) -> str:
    """What a session remembers of its version. Another one once the version was withdrawn in between: a
    rollout that begins anew has no sessions yet."""
    since = directive.offered_at
    return f"{directive.id.hex}.{'' if since is None else int(since.timestamp() * 1e6)}"
