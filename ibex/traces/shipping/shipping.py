"""Takes traces from the stream to the databases: each of them at least once, and each counts once."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Protocol
from uuid import UUID

import psycopg
from redis.exceptions import RedisError

from ibex.storage import ClickHouseError, DatabaseUnavailableError, Postgres
from ibex.traces.packing import UnreadableError, pack, unpack
from ibex.traces.shipping import repository
from ibex.traces.store import TraceStore
from ibex.traces.stream import Entry, Refused, TraceStream
from ibex.traces.trace import Trace

logger = logging.getLogger(__name__)

# Up to 500 traces each, which take Postgres about 50 ms. A web process that has little to do sends an entry
# for each call, so it is these that must be many.
_ENTRIES = 16
# Seconds that are waited for new ones before anything else is looked at.
_WAIT = 0.2
# What somebody was given is taken over when it was not finished in so many seconds: ten times what it should
# take, and harmless when it only takes longer.
_TAKE_OVER = 15.0
# Seconds between two looks at what others have left.
_LOOK_AFTER = 5.0
# Seconds between two tries to reach what is away.
_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
# Seconds for what is there at a stop.
_LAST_ROUNDS = 5.0

_AWAY = (DatabaseUnavailableError, RedisError, OSError)
_REFUSED = (psycopg.DataError, psycopg.IntegrityError, ClickHouseError)


class TraceObserver(Protocol):
    """Somebody who wants to know of every call."""

    async def observe(
        self, connection: psycopg.AsyncConnection[Any], org_id: UUID, traces: Sequence[Trace]
    ) -> None:
        """Called in the transaction that stores them for the first time, so once for each."""
        ...


class TraceShipping:
    """One of those who take traces from the stream and store them.

    Any number may do so at once. What one of them has taken when it dies another takes over.

    Parameters
    ----------
    store: where traces are kept. They are put there after they were counted and before they leave the stream,
        so it may be told of some again.
    observers: who else is told of traces.
    refused: called with the number of traces that can never be stored.
    take_over: seconds after which what another was given, and has not finished, is taken over.
    """

    def __init__(
        self,
        stream: TraceStream,
        postgres: Postgres,
        store: TraceStore,
        *,
        observers: Sequence[TraceObserver] = (),
        refused: Callable[[int], None],
        take_over: float = _TAKE_OVER,
    ) -> None:
        self._stream = stream
        self._postgres = postgres
        self._kept = store
        self._observers = observers
        self._refused = refused
        self._take_over = take_over
        self._consumer = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._look_after = 0.0
        # Taken from the stream and not stored yet.
        self._held: Sequence[Entry] = ()

    async def run(self, stop: asyncio.Event) -> None:
        """Ship until `stop` is set, and then what is there by then, for 5 s at most."""
        pause = _SHORTEST_PAUSE
        while not stop.is_set():
            try:
                await self._round(_WAIT)
            except _AWAY as error:
                if pause == _SHORTEST_PAUSE:
                    logger.warning("traces wait in their stream (%s)", type(error).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                if pause > _SHORTEST_PAUSE:
                    logger.warning("traces are stored again")
                pause = _SHORTEST_PAUSE
        with suppress(TimeoutError, *_AWAY):
            async with asyncio.timeout(_LAST_ROUNDS):
                while await self._round(0.0):
                    continue

    async def _round(self, within: float) -> int:
        """Ship some entries, waited for `within` so many seconds; how many they were."""
        if not self._held:
            self._held = await self._take(within)
        held = self._held
        if held:
            losses = await self._ship(held)
            if await self._stream.finish(held, losses.refused):
                self._tell(losses)
            self._held = ()
        return len(held)

    async def _take(self, within: float) -> Sequence[Entry]:
        now = time.monotonic()
        if now >= self._look_after:
            left = await self._stream.claim(self._consumer, most=_ENTRIES, idle=self._take_over)
            if left:
                return left
            self._look_after = now + min(_LOOK_AFTER, self._take_over)
        return await self._stream.read(self._consumer, most=_ENTRIES, within=within)

    async def _ship(self, entries: Sequence[Entry]) -> "_Losses":
        """Store what is in the entries: counted by organization, and kept all together."""
        losses = _Losses()
        traces: list[Trace] = []
        for entry in entries:
            try:
                traces += unpack(entry.packed)
            except UnreadableError as error:
                losses.refused.append(Refused(entry.packed, entry.count, f"it cannot be read ({error})"))
        known: list[Trace] = []
        for org_id, group in groupby(sorted(traces, key=_org), key=_org):
            known += await self._count(org_id, list(group), losses)
        await self._keep(known, losses)
        return losses

    async def _count(self, org_id: UUID, traces: Sequence[Trace], losses: "_Losses") -> Sequence[Trace]:
        """Those whose agent is there; each of them has counted by now, once.

        What is refused together is tried by halves, so that only a bad trace is lost.
        """
        try:
            async with self._postgres.transaction(org_id) as connection:
                is_new = await repository.count(connection, org_id, traces)
                new = {trace.id: trace for trace in traces if is_new.get(trace.id)}
                for observer in self._observers if new else ():
                    await observer.observe(connection, org_id, list(new.values()))
        except _REFUSED as error:
            if len(traces) == 1:
                losses.refuse(traces[0], error)
                return []
            half = len(traces) // 2
            return [
                *await self._count(org_id, traces[:half], losses),
                *await self._count(org_id, traces[half:], losses),
            ]
        known = [trace for trace in traces if trace.id in is_new]
        losses.gone += len(traces) - len(known)
        return known

    async def _keep(self, traces: Sequence[Trace], losses: "_Losses") -> None:
        """Put them into the store, by halves where it refuses."""
        try:
            await self._kept.insert(
                {org_id: list(group) for org_id, group in groupby(traces, key=_org)},
            )
        except _REFUSED as error:
            if len(traces) == 1:
                losses.refuse(traces[0], error)
                return
            half = len(traces) // 2
            await self._keep(traces[:half], losses)
            await self._keep(traces[half:], losses)

    def _tell(self, losses: "_Losses") -> None:
        for each in losses.refused:
            logger.error("%d traces are set aside: %s", each.count, each.reason)
            self._refused(each.count)
        if losses.gone:
            # Nothing is kept of them: it may be that their organization was erased.
            logger.warning("%d traces are lost: their agent is gone", losses.gone)
            self._refused(losses.gone)


@dataclass(slots=True)
class _Losses:
    """What can never be stored. Told once it has left the stream: until then all of it is tried again."""

    refused: list[Refused] = field(default_factory=list)
    gone: int = 0

    def refuse(self, trace: Trace, error: Exception) -> None:
        self.refused.append(Refused(pack([trace]), 1, type(error).__name__))


def _org(trace: Trace) -> UUID:
    return trace.org_id
