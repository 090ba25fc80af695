"""How many agents, users and tokens one organization may have."""

from dataclasses import dataclass
from typing import Literal, Self

from ibex.auth.names import conflict
from ibex.settings import Settings

_REMEDIES = {
    "agents": "Use one again that is not needed any more",
    "users": "Remove one first",
    "tokens": "Revoke one first",
}


@dataclass(frozen=True, slots=True)
class Quota:
    """The most that there may be in one organization: of agents, of users who were not removed, of tokens
    that are valid.

    To be checked after the event of a creation was recorded: from then on nobody else creates anything in the
    organization until the transaction ends, so what is counted stays.
    """

    agents: int
    users: int
    tokens: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            agents=settings.agents_per_organization,
            users=settings.users_per_organization,
            tokens=settings.tokens_per_organization,
        )

    def check_agents(self, count: int) -> None:
        """Raises CONFLICT, as its siblings do, when there are too many with the new one."""
        _check("agents", count, self.agents)

    def check_users(self, count: int) -> None:
        _check("users", count, self.users)

    def check_tokens(self, count: int) -> None:
        _check("tokens", count, self.tokens)

    def check_overlaps(self, count: int) -> None:
        """Of tokens that were rotated and go on for an overlap, there may be as many again."""
        if count > self.tokens:
            raise conflict(
                "No more tokens can go on for an overlap after they were rotated: `tokens_per_organization` "
                f"allows {self.tokens:,}, and {count - 1:,} do. Rotate without an overlap, or revoke one of "
                "them first."
            )


def _check(kind: Literal["agents", "users", "tokens"], count: int, most: int) -> None:
    if count > most:
        raise conflict(
            f"There can be no more {kind}: `{kind}_per_organization` allows {most:,}, and this organization "
            f"has {count - 1:,}. {_REMEDIES[kind]}, or have whoever runs the installation raise the setting."
        )
