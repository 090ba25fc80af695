"""Reads the traces of one organization: that of whoever asks."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ibex.auth import Actor, AuditEvent, audit
from ibex.auth.agents.ownership import check_owner
from ibex.auth.names import invalid, no_access
from ibex.storage import Postgres
from ibex.traces.store import (
    BUCKETS,
    Bucket,
    Cost,
    MemoryUse,
    Position,
    Selection,
    Span,
    StepTime,
    TraceStore,
)
from ibex.traces.trace import Trace

# Figures are of a day unless somebody says otherwise.
_USUAL_TIME = timedelta(days=1)
# Buckets of one overview: a month by the hour, a day by the minute.
_MOST_BUCKETS = 1_500
_MOST_COSTS = 1_000
# Questions that read many traces, which a process asks at a time: its connections are for calls first.
_AT_ONCE = 2
# Lists and pages of exports as well, which read few traces, or many for a filter that lets few through.
_PAGES_AT_ONCE = 3
# Traces that an export holds at once; to make them of the rows takes a few milliseconds of the loop.
_BATCH = 200


class TraceReading:
    """Every question is asked for an actor: of their organization, and of no other agent than their token's.

    Parameters
    ----------
    postgres: where it is noted that traces were exported.
    """

    def __init__(self, store: TraceStore, postgres: Postgres) -> None:
        self._store = store
        self._postgres = postgres
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._readers = asyncio.Semaphore(_PAGES_AT_ONCE)

    async def page(self, actor: Actor, chosen: Selection, after: Position | None, limit: int) -> list[Trace]:
        """The newest first."""
        return await self._page(actor.org_id, _allowed(actor, chosen), after, limit)

    async def get(self, actor: Actor, reference: UUID) -> Trace:
        """By the id of a request or of its trace: for the token of an agent the first call of that agent.

        Raises ACCESS_DENIED when there is none, AGENT_NOT_AUTHORIZED when it is another agent's.
        """
        found = await self._store.find(actor.org_id, reference, actor.agent_id)
        if found is None:
            raise no_access("trace")
        check_owner(actor, found.agent_id)
        return found

    async def overview(
        self, actor: Actor, chosen: Selection, bucket: Bucket | None
    ) -> tuple[Span, list[Span]]:
        """All together, and by time. Without a bucket it is one that gives some dozens of them.

        Raises VALIDATION_ERROR when there would be too many.
        """
        chosen = _within_time(_allowed(actor, chosen))
        seconds = BUCKETS[bucket] if bucket else _fitting_bucket(_length(chosen))
        if _length(chosen) > timedelta(seconds=seconds * _MOST_BUCKETS):
            raise invalid(
                "bucket", f"That would be more than {_MOST_BUCKETS} buckets: take wider ones, or less time."
            )
        async with self._turns:
            together, *spans = await self._store.overview(actor.org_id, chosen, seconds)
        return together, spans

    async def latency(self, actor: Actor, chosen: Selection) -> list[StepTime]:
        chosen = _within_time(_allowed(actor, chosen))
        async with self._turns:
            return await self._store.latency(actor.org_id, chosen)

    async def costs(self, actor: Actor, chosen: Selection) -> list[Cost]:
        """What costs most first, a thousand at most."""
        chosen = _within_time(_allowed(actor, chosen))
        async with self._turns:
            return await self._store.costs(actor.org_id, chosen, _MOST_COSTS)

    async def memory(self, actor: Actor, chosen: Selection) -> MemoryUse:
        chosen = _within_time(_allowed(actor, chosen))
        async with self._turns:
            return await self._store.memory(actor.org_id, chosen)

    async def export(self, actor: Actor, chosen: Selection) -> AsyncIterator[list[Trace]]:
        """Page by page. That it was taken is in the audit from the start."""
        chosen = _allowed(actor, chosen)
        async with self._postgres.transaction(actor.org_id) as connection:
            detail = {} if chosen.agent_id is None else {"agent_id": str(chosen.agent_id)}
            await audit.record(connection, AuditEvent.of(actor, "trace.export", actor.org_id, **detail))
        return self._pages(actor.org_id, chosen)

    async def _pages(self, org_id: UUID, chosen: Selection) -> AsyncIterator[list[Trace]]:
        after: Position | None = None
        while page := await self._page(org_id, chosen, after, _BATCH):
            yield page
            after = Position(page[-1].at, page[-1].id)

    async def _page(self, org_id: UUID, chosen: Selection, after: Position | None, limit: int) -> list[Trace]:
        async with self._readers:
            return await self._store.page(org_id, chosen, after, limit)


def _allowed(actor: Actor, chosen: Selection) -> Selection:
    """Raises AGENT_NOT_AUTHORIZED for another agent than the token's."""
    if actor.agent_id is None:
        return chosen
    if chosen.agent_id is not None:
        check_owner(actor, chosen.agent_id)
    return replace(chosen, agent_id=actor.agent_id)


def _within_time(chosen: Selection) -> Selection:
    until = chosen.until or datetime.now(UTC)
    return replace(chosen, since=chosen.since or until - _USUAL_TIME, until=until)


def _length(chosen: Selection) -> timedelta:
    if chosen.since is None or chosen.until is None:
        return _USUAL_TIME
    return chosen.until - chosen.since


def _fitting_bucket(length: timedelta) -> int:
    if length <= timedelta(hours=2):
        return BUCKETS["minute"]
    return BUCKETS["hour"] if length <= timedelta(days=7) else BUCKETS["day"]
