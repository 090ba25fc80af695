"""Requests per minute: counted in Redis in one round trip, conservatively here while Redis is away."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import resources
from uuid import UUID

from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ibex.auth.limits.local import LocalLimiter
from ibex.auth.limits.verdict import RateLimit, Verdict
from ibex.storage import Redis, organization_key
from ibex.tasks import BackgroundTask

logger = logging.getLogger(__name__)

_SCRIPT = resources.files(__package__).joinpath("sliding_window.lua").read_text("utf-8")
_LARGEST_BATCH = 256
_PRESENCE_KEY = "ibex:processes"
_PRESENCE_EVERY = 1.0
_PRESENT_FOR = 5
_PRESENCE_PATIENCE = 1.0
# Redis's clock decides, so that a process whose own clock is wrong is counted all the same.
_PRESENCE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""

_Waiting = tuple[Sequence[RateLimit], "asyncio.Future[Verdict]"]


class RateLimiter:
    """Admits requests, exactly while Redis answers and conservatively while it does not.

    Requests of one organization that arrive while a check is under way travel together in the next one:
    under load a round trip is shared, at rest nothing waits.

    Parameters
    ----------
    process_id: names this process among all that count in the same Redis.
    timeout: seconds a check may take before it is judged locally.
    on_fallback: called once per organization and outage, when its first request is judged locally.
    processes_at_start: how many there are at least, for as long as Redis has not told of more.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        process_id: str,
        timeout: float,
        on_fallback: Callable[[UUID], None],
        processes_at_start: int = 1,
    ) -> None:
        self._redis = redis
        self._process_id = process_id
        self._timeout = timeout
        self._on_fallback = on_fallback
        self._local = LocalLimiter()
        self._waiting: dict[UUID, list[_Waiting]] = {}
        self._checks: set[asyncio.Task[None]] = set()
        self._sha = ""
        self._processes_at_start = self._processes = processes_at_start
        self._is_away = False
        self._was_late = False
        self._told: set[UUID] = set()
        self._presence = BackgroundTask("limiter-presence", self._stay_present)

    @property
    def is_local(self) -> bool:
        """Whether Redis is away and requests are judged here."""
        return self._is_away

    def start(self) -> None:
        self._presence.start()

    async def stop(self) -> None:
        await self._presence.stop()
        with suppress(RedisError, OSError, TimeoutError):
            await self._redis.zrem(_PRESENCE_KEY, self._process_id)

    async def check(self, org_id: UUID, limits: Sequence[RateLimit]) -> Verdict:
        """Count one request under all of `limits`, or under none when it is refused."""
        if self._is_away:
            return self._check_locally(org_id, limits)
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(org_id)
        if waiting is not None:
            waiting.append((limits, verdict))
        else:
            self._waiting[org_id] = [(limits, verdict)]
            check = asyncio.create_task(self._serve(org_id), name="limit-check")
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)
        return await verdict

    async def _serve(self, org_id: UUID) -> None:
        """Check what waits, in batches, until nothing does."""
        batch: list[_Waiting] = []
        try:
            while self._waiting[org_id]:
                waiting = self._waiting[org_id]
                batch, self._waiting[org_id] = waiting[:_LARGEST_BATCH], waiting[_LARGEST_BATCH:]
                verdicts = await self._judge(org_id, [limits for limits, _ in batch])
                for (_, future), verdict in zip(batch, verdicts, strict=True):
                    if not future.done():
                        future.set_result(verdict)
        finally:
            # Nobody may be left waiting for an answer that does not come, whatever has happened.
            for _, future in (*batch, *self._waiting.pop(org_id)):
                if not future.done():
                    future.set_exception(RuntimeError("the limit check failed"))

    async def _judge(self, org_id: UUID, requests: Sequence[Sequence[RateLimit]]) -> list[Verdict]:
        try:
            verdicts = await self._ask(org_id, requests)
        except (RedisError, OSError, TimeoutError) as error:
            # One late answer may be a hiccup; this batch is judged here, the next one asks again.
            if self._was_late or not isinstance(error, TimeoutError | RedisTimeoutError):
                self._leave(error)
            self._was_late = True
            return [self._check_locally(org_id, limits) for limits in requests]
        self._was_late = False
        return verdicts

    async def _ask(self, org_id: UUID, requests: Sequence[Sequence[RateLimit]]) -> list[Verdict]:
        prefix = organization_key(org_id, "limit", "rpm:")
        keys = [prefix + limit.name for limits in requests for limit in limits]
        arguments = [len(requests[0]), *(limit.per_minute for limits in requests for limit in limits)]
        async with asyncio.timeout(self._timeout):
            reply = await self._evaluate(keys, arguments)
        return [
            Verdict(bool(admitted), limits[tightest], remaining, reset)
            for limits, (admitted, tightest, remaining, reset) in zip(requests, reply, strict=True)
        ]

    async def _evaluate(self, keys: list[str], arguments: list[int]) -> list[tuple[int, int, int, int]]:
        if self._sha:
            with suppress(NoScriptError):
                return await self._run_script(keys, arguments)
        self._sha = ""
        await self._load_script()
        return await self._run_script(keys, arguments)

    async def _run_script(self, keys: list[str], arguments: list[int]) -> list[tuple[int, int, int, int]]:
        reply: list[tuple[int, int, int, int]] = await self._redis.execute_command(
            "EVALSHA", self._sha, len(keys), *keys, *arguments
        )
        return reply

    async def _load_script(self) -> None:
        if not self._sha:
            self._sha = await self._redis.script_load(_SCRIPT)

    def _check_locally(self, org_id: UUID, limits: Sequence[RateLimit]) -> Verdict:
        if self._is_away and org_id not in self._told:
            self._told.add(org_id)
            self._on_fallback(org_id)
        return self._local.check(limits, self._processes)

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
            self._told.clear()
            logger.warning("Redis is back: limits are counted there again")

    async def _stay_present(self) -> None:
        """Tell the others of this process, count them, and notice when Redis goes and comes.

        It is back once it answers as fast as a request needs it to, lest a slow one be left and taken up
        again every second.
        """
        while True:
            asked_at = time.monotonic()
            try:
                async with asyncio.timeout(_PRESENCE_PATIENCE):
                    present = await self._redis.execute_command(
                        "EVAL", _PRESENCE, 1, _PRESENCE_KEY, self._process_id, _PRESENT_FOR
                    )
                    is_prompt = time.monotonic() - asked_at <= self._timeout
                    await self._load_script()
                self._processes = max(self._processes_at_start, int(present))
                if is_prompt:
                    self._return()
            except (RedisError, OSError, TimeoutError) as error:
                self._leave(error)
            await asyncio.sleep(_PRESENCE_EVERY)
