"""What a limiter is asked, and what it is told afterwards."""

from dataclasses import dataclass, field

from ibex.auth.limits.limit import Limit, LimitSet


@dataclass(frozen=True, slots=True)
class Demand:
    """One request: the limits it is under, the tokens it may use, the name of its lease."""

    under: LimitSet
    tokens: int
    lease: str

    def amount(self, limit: Limit) -> int:
        """How much of a limit it takes."""
        return self.tokens if limit.dimension == "tokens" else 1


@dataclass(slots=True)
class Endings:
    """What has ended since it was last told: each is the name of a limit, and what is to be done there.

    `settled` are a second and a difference in tokens, `released` and `held` are leases.
    """

    settled: list[tuple[str, int, int]] = field(default_factory=list)
    released: list[tuple[str, str]] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.settled) + len(self.released) + len(self.held)
