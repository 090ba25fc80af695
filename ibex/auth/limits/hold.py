"""What an admitted call has until it ends: leases, and tokens that are reserved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ibex.auth.limits.demand import Demand
from ibex.auth.limits.local import Admission


@dataclass(slots=True)
class Hold:
    """To be ended once, whatever ends the call.

    `second` is that of Redis's clock in which the tokens are reserved there; `admissions` are those that were
    made here while it was away.
    """

    org_id: UUID
    demand: Demand
    second: int | None
    admissions: Sequence[Admission]
    ended: Callable[["Hold", int | None], None] = field(repr=False)
    is_over: bool = False

    def end(self, tokens: int | None) -> None:
        """The call is over and has cost so many tokens; None when nobody knows, and the estimate stands."""
        if not self.is_over:
            self.is_over = True
            self.ended(self, tokens)
