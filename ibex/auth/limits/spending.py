"""What was used of the month: counted, told when much of it is gone, and known everywhere when all is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ibex.auth.changes import Change, ChangeLog
from ibex.auth.limits import repository
from ibex.auth.limits.allowances import Allowances, LimitDefaults
from ibex.auth.limits.month import MonthUse, begin, shown
from ibex.auth.limits.notice import Notice
from ibex.ids import uuid7
from ibex.outbox import Event, emit
from ibex.storage import Connection


@dataclass(frozen=True, slots=True)
class _Reached:
    used: float
    most: float


class Spending:
    """Counts what agents and their organizations use.

    Parameters
    ----------
    thresholds: the percentages of what is allowed for a month of which an organization is told.
    """

    def __init__(self, changes: ChangeLog, thresholds: Sequence[int]) -> None:
        self._changes = changes
        self._thresholds = thresholds

    async def add(self, connection: Connection, org_id: UUID, uses: Sequence[MonthUse]) -> None:
        """Count, in the transaction that is open, as one of its last statements.

        Of each subject and month there is one. Events of the thresholds that are reached are written along,
        each once in a month, and whoever admits calls is told when nothing is left.
        """
        totals = await repository.use(connection, org_id, uses)
        overrides = await repository.holding_for_a_month(connection)
        if not overrides:
            return
        allowances = Allowances(
            LimitDefaults(), {(each.scope, each.subject): each.allowance for each in overrides}
        )
        added = {(each.month, each.scope, each.subject): each.amounts for each in uses}
        reached: dict[Notice, _Reached] = {}
        is_exhausted = False
        for total in totals:
            allowed = allowances.of(total.scope, str(total.subject)).monthly
            reached |= self._reached(total, allowed)
            amounts = zip(total.amounts, added[total.month, total.scope, total.subject], strict=True)
            before = [amount - new for amount, new in amounts]
            is_exhausted = is_exhausted or total.exhausts(allowed, before)
        if reached:
            await _tell(connection, org_id, reached)
        if is_exhausted:
            await self._changes.note(connection, Change("limits", org_id))

    def _reached(self, total: MonthUse, allowed: Sequence[int | None]) -> dict[Notice, _Reached]:
        return {
            Notice(begin(total.month), total.scope, total.subject, dimension, percent): _Reached(
                shown(dimension, used), shown(dimension, most)
            )
            for dimension, percent, used, most in total.reached(allowed, self._thresholds)
        }


async def _tell(connection: Connection, org_id: UUID, reached: dict[Notice, _Reached]) -> None:
    now = datetime.now(UTC)
    for notice in sorted(await repository.note(connection, org_id, list(reached))):
        told = {
            "scope": notice.scope,
            "subject": str(notice.subject),
            "month": f"{notice.since.astimezone(UTC):%Y-%m}",
            "dimension": notice.dimension,
            "percent": notice.percent,
            "used": reached[notice].used,
            "quota": reached[notice].most,
        }
        await emit(connection, Event(org_id, uuid7(), "budget.threshold", now, told))
