"""The limiter in Redis, which all processes share: exact, one round trip."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from typing import Any
from uuid import UUID

import orjson
from redis.exceptions import NoScriptError

from ibex.auth.limits.demand import Demand, Endings
from ibex.auth.limits.verdict import Verdict
from ibex.storage import Redis, organization_key

_SCRIPT = resources.files(__package__).joinpath("limits.lua").read_text("utf-8")

# The second, then for each request: admitted, the limit that it is told of, remaining, wait.
_Reply = list[Any]


class SharedLimiter:
    """Runs the script. Raises `RedisError`, `OSError` or `TimeoutError` when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._sha = ""

    async def exchange(
        self, org_id: UUID, demands: Sequence[Demand], endings: Endings, *, within: float
    ) -> tuple[int, list[Verdict]]:
        """Tell what has ended, then ask: the second of Redis's clock, and a verdict for each demand.

        It takes at most `within` seconds.
        """
        keys, message = _encode(org_id, demands, endings)
        async with asyncio.timeout(within):
            now, *replies = await self._evaluate(keys, message)
        return now, [
            Verdict(bool(admitted), demand.under.limits[told], remaining, wait if wait >= 0 else None)
            for demand, (admitted, told, remaining, wait) in zip(demands, replies, strict=True)
        ]

    async def prepare(self) -> None:
        """Give Redis the script, if that has not been done."""
        if not self._sha:
            self._sha = await self._redis.script_load(_SCRIPT)

    async def _evaluate(self, keys: Sequence[str], message: bytes) -> _Reply:
        if self._sha:
            with suppress(NoScriptError):
                return await self._run_script(keys, message)
        self._sha = ""
        await self.prepare()
        return await self._run_script(keys, message)

    async def _run_script(self, keys: Sequence[str], message: bytes) -> _Reply:
        reply: _Reply = await self._redis.execute_command("EVALSHA", self._sha, len(keys), *keys, message)
        return reply


def _encode(org_id: UUID, demands: Sequence[Demand], endings: Endings) -> tuple[list[str], bytes]:
    """Keys, once each, and the message in which they are positions."""
    prefix = organization_key(org_id, "limit", "")
    positions: dict[str, int] = {}

    def position(name: str) -> int:
        return positions.setdefault(name, len(positions) + 1)

    requests = [
        [
            (
                position(limit.name),
                limit.most,
                demand.lease if limit.dimension == "concurrent" else demand.amount(limit),
            )
            for limit in demand.under.limits
        ]
        for demand in demands
    ]
    settled = [(position(name), second, difference) for name, second, difference in endings.settled]
    released = [(position(name), lease) for name, lease in endings.released]
    held = [(position(name), lease) for name, lease in endings.held]
    return [prefix + name for name in positions], orjson.dumps((requests, settled, released, held))
