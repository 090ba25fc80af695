"""Admits requests: counted in Redis in one round trip, conservatively here while Redis is away."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from uuid import UUID

from redis.exceptions import TimeoutError as RedisTimeoutError

from ibex.auth.limits.demand import Demand, Endings
from ibex.auth.limits.hold import Hold
from ibex.auth.limits.leases import Leases
from ibex.auth.limits.limit import LimitSet
from ibex.auth.limits.local import Admission, LocalLimiter
from ibex.auth.limits.presence import Presence
from ibex.auth.limits.settlement import AWAY, PATIENCE, Settlement
from ibex.auth.limits.shared import SharedLimiter
from ibex.auth.limits.verdict import Verdict
from ibex.storage import Redis
from ibex.tasks import BackgroundTask

logger = logging.getLogger(__name__)

_LARGEST_BATCH = 256
_PRESENCE_EVERY = 1.0
# A third of a lease's life in Redis, so that one renewal may fail.
_RENEW_EVERY = 10.0

_Answer = tuple[Verdict, Hold | None]
_Waiting = tuple[Demand, "asyncio.Future[_Answer]"]


class RateLimiter:
    """Admits requests, exactly while Redis answers and conservatively while it does not.

    Requests of one organization that arrive while a check is under way travel together in the next one:
    under load a round trip is shared, at rest nothing waits.

    Parameters
    ----------
    process_id: names this process among all that count in the same Redis.
    timeout: seconds a check may take before it is judged locally.
    on_fallback: called once per organization and outage, when its first request is judged locally.
    on_restore: called for each of these organizations when Redis counts again.
    processes_at_start: how many there are at least, for as long as Redis has not told of more.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        process_id: str,
        timeout: float,
        on_fallback: Callable[[UUID], None],
        on_restore: Callable[[UUID], None],
        processes_at_start: int = 1,
    ) -> None:
        self._shared = SharedLimiter(redis)
        self._presence = Presence(redis, process_id)
        self._timeout = timeout
        self._on_fallback = on_fallback
        self._on_restore = on_restore
        self._leases = Leases()
        self._local = LocalLimiter(self._leases.under)
        self._lease_prefix, self._lease_numbers = os.urandom(6).hex(), count()
        self._waiting: dict[UUID, list[_Waiting]] = {}
        self._checks: set[asyncio.Task[None]] = set()
        self._settlement = Settlement(self._shared, lambda: self._is_away)
        self._processes_at_start = self._processes = processes_at_start
        self._is_away = False
        self._was_late = False
        self._renewed_at = 0.0
        self._told: set[UUID] = set()
        self._watcher = BackgroundTask("limiter-presence", self._stay_present)

    @property
    def is_local(self) -> bool:
        """Whether Redis is away and requests are judged here."""
        return self._is_away

    def start(self) -> None:
        self._watcher.start()
        self._settlement.start()

    async def stop(self) -> None:
        await self._watcher.stop()
        await self._settlement.stop()
        with suppress(*AWAY):
            await self._presence.leave()

    async def check(self, org_id: UUID, under: LimitSet, tokens: int = 0) -> _Answer:
        """Count one request under all limits, or under none when it is refused.

        An admitted one has a hold when tokens or concurrent requests of it are limited: end it with the call.
        """
        lease = f"{self._lease_prefix}:{next(self._lease_numbers)}" if under.lease_names else ""
        demand = Demand(under, tokens, lease)
        if self._is_away:
            return self._check_locally(org_id, demand)
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(org_id)
        if waiting is not None:
            waiting.append((demand, answer))
        else:
            self._waiting[org_id] = [(demand, answer)]
            check = asyncio.create_task(self._serve(org_id), name="limit-check")
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)
        try:
            return await answer
        except asyncio.CancelledError:
            # It may have been answered in the very moment in which its caller left.
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                _give_back(answer.result())
            raise

    async def _serve(self, org_id: UUID) -> None:
        """Check what waits, in batches, until nothing does."""
        batch: list[_Waiting] = []
        try:
            while self._waiting[org_id]:
                waiting = self._waiting[org_id]
                batch, self._waiting[org_id] = waiting[:_LARGEST_BATCH], waiting[_LARGEST_BATCH:]
                answers = await self._judge(org_id, [demand for demand, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    if future.done():
                        _give_back(answer)
                    else:
                        future.set_result(answer)
        finally:
            # Nobody may be left waiting for an answer that does not come, whatever has happened.
            for _, future in (*batch, *self._waiting.pop(org_id)):
                if not future.done():
                    future.set_exception(RuntimeError("the limit check failed"))

    async def _judge(self, org_id: UUID, demands: Sequence[Demand]) -> list[_Answer]:
        endings = self._settlement.take(org_id)
        try:
            second, verdicts = await self._shared.exchange(org_id, demands, endings, within=self._timeout)
        except AWAY as error:
            self._settlement.failed(org_id, endings)
            # One late answer may be a hiccup; this batch is judged here, the next one asks again.
            if self._was_late or not isinstance(error, TimeoutError | RedisTimeoutError):
                self._leave(error)
            self._was_late = True
            return [self._check_locally(org_id, demand, was_asked=True) for demand in demands]
        self._was_late = False
        return [
            (verdict, self._hold(org_id, demand, second) if verdict.admitted else None)
            for demand, verdict in zip(demands, verdicts, strict=True)
        ]

    def _check_locally(self, org_id: UUID, demand: Demand, *, was_asked: bool = False) -> _Answer:
        if self._is_away and org_id not in self._told:
            self._told.add(org_id)
            self._on_fallback(org_id)
        verdict, admissions = self._local.check(demand, self._processes)
        if verdict.admitted:
            return verdict, self._hold(org_id, demand, None, admissions)
        if was_asked:
            # Redis may have heard of it all the same.
            self._settlement.add(org_id, [(name, demand.lease) for name in demand.under.lease_names])
        return verdict, None

    def _hold(
        self, org_id: UUID, demand: Demand, second: int | None, admissions: Sequence[Admission] = ()
    ) -> Hold | None:
        under = demand.under
        if under.lease_names:
            self._leases.add(demand.lease, org_id, under.lease_names)
        elif not under.counts_tokens:
            return None
        return Hold(org_id, demand, second, admissions, self._end)

    def _end(self, hold: Hold, tokens: int | None) -> None:
        demand = hold.demand
        used = demand.tokens if tokens is None else tokens
        for admission in hold.admissions:
            admission.settle(used)
        difference = used - demand.tokens
        settled: list[tuple[str, int, int]] = []
        if hold.second is not None and difference:
            settled = [
                (limit.name, hold.second, difference)
                for limit in demand.under.limits
                if limit.dimension == "tokens"
            ]
        released = [(name, demand.lease) for name in demand.under.lease_names]
        if released:
            self._leases.remove(demand.lease)
        self._settlement.add(hold.org_id, released, settled)

    def _leave(self, error: BaseException) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning(
                "Redis is away (%s): limits are counted here, divided by %d",
                type(error).__name__,
                self._processes,
            )

    def _return(self) -> None:
        if self._is_away:
            self._is_away = False
            for org_id in self._told:
                self._on_restore(org_id)
            self._told.clear()
            self._settlement.resume()
            logger.warning("Redis is back: limits are counted there again")

    async def _stay_present(self) -> None:
        """Tell the others of this process, count them, renew its leases, notice when Redis goes and comes.

        It is back once it answers as fast as a request needs it to, lest a slow one be left and taken up
        again every second; and once it knows of the calls that go on here.
        """
        while True:
            asked_at = time.monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    present, is_new = await self._presence.announce()
                    is_prompt = time.monotonic() - asked_at <= self._timeout
                    await self._shared.prepare()
                self._processes = max(self._processes_at_start, present)
                if is_new or (self._is_away and is_prompt) or asked_at - self._renewed_at >= _RENEW_EVERY:
                    await self._renew()
                if is_prompt:
                    self._return()
            except AWAY as error:
                self._leave(error)
            await asyncio.sleep(_PRESENCE_EVERY)

    async def _renew(self) -> None:
        """Enter every lease anew, also those that Redis has lost."""
        self._renewed_at = time.monotonic()
        for org_id, held in list(self._leases.batches(_LARGEST_BATCH)):
            await self._shared.exchange(org_id, (), Endings(held=held), within=PATIENCE)
            # What ended meanwhile may have been released before it was entered anew.
            self._settlement.add(org_id, [(name, lease) for name, lease in held if lease not in self._leases])


def _give_back(answer: _Answer) -> None:
    """Whoever asked has left, and will call nobody."""
    _, hold = answer
    if hold is not None:
        hold.end(0)
