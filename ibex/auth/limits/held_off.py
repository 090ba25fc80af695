"""Tells an organization that it, or an agent of its, is held off by a limit: once an hour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from ibex.auth.limits import repository
from ibex.auth.limits.limit import DIMENSION_NAMES, Limit
from ibex.auth.limits.notice import Notice
from ibex.ids import uuid7
from ibex.outbox import Event, emit
from ibex.storage import Postgres
from ibex.storage.write_behind import WriteBehind

# Agents and organizations that a process remembers to have told of; some hundred bytes each.
_MOST_REMEMBERED: Final = 10_000
_CAPACITY: Final = 1_000
# Of everybody; that an end user or a token is held off is no news.
_SCOPES: Final = ("agent", "organization")


@dataclass(frozen=True, slots=True)
class _Refusal:
    org_id: UUID
    limit: Limit
    at: datetime
    # Made here, so that an event which is written again is the same.
    event_id: UUID


class HeldOff:
    """Takes note of refusals; the first of an hour is written, and costs its request nothing more than that.

    Every process tells of its first one, and the database keeps that of the first process.

    Parameters
    ----------
    dropped: called with the number of events that are lost.
    """

    def __init__(
        self,
        postgres: Postgres,
        *,
        dropped: Callable[[int], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._postgres = postgres
        self._now = now
        self._told: dict[tuple[UUID, str], datetime] = {}
        self._refusals: WriteBehind[_Refusal] = WriteBehind(self._write, dropped=dropped, capacity=_CAPACITY)

    def __len__(self) -> int:
        return len(self._refusals)

    def start(self) -> None:
        self._refusals.start()

    async def close(self, *, within: float) -> None:
        """Write what is left, for at most `within` seconds."""
        await self._refusals.close(within=within)

    def add(self, org_id: UUID, limit: Limit) -> None:
        """A request was refused under this limit."""
        if limit.scope not in _SCOPES:
            return
        now = self._now()
        key, hour = (org_id, limit.subject), _hour(now)
        if self._told.get(key) == hour:
            return
        if len(self._told) >= _MOST_REMEMBERED:
            del self._told[next(iter(self._told))]
        self._told[key] = hour
        self._refusals.add(_Refusal(org_id, limit, now, uuid7()))

    async def _write(self, refusals: Sequence[_Refusal]) -> None:
        for each in refusals:
            await self._tell(each)

    async def _tell(self, refused: _Refusal) -> None:
        limit = refused.limit
        notice = Notice(_hour(refused.at), limit.scope, UUID(limit.subject), "rate", 100)
        told = {
            "scope": limit.scope,
            "subject": limit.subject,
            "dimension": DIMENSION_NAMES[limit.dimension],
            "limit": limit.most,
        }
        event = Event(refused.org_id, refused.event_id, "limit.threshold", refused.at, told)
        async with self._postgres.transaction(refused.org_id) as connection:
            if await repository.note(connection, refused.org_id, [notice]):
                await emit(connection, event)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
