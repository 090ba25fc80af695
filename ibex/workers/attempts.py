"""What is known of the tries of a job, in Redis, while there are more to come."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from redis.asyncio import Redis

_LIFETIME = 8 * 86_400


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a job has failed, and since when. A try that is none of these was cut off."""

    failures: int = 0
    since: datetime | None = None


class AttemptBook:
    """Its methods raise `redis.RedisError` and `OSError`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def of(self, job_id: str) -> Attempts:
        """Of a job that is tried again; what began to fail without a word did so before now."""
        key = attempts_key(job_id)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(key, "since", datetime.now(UTC).isoformat())
            pipeline.expire(key, _LIFETIME)
            pipeline.hgetall(key)
            *_, stored = await pipeline.execute()
        return _attempts(stored)

    async def failed(self, job_id: str) -> Attempts:
        """Note a failure."""
        key = attempts_key(job_id)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hincrby(key, "failures", 1)
            pipeline.hsetnx(key, "since", datetime.now(UTC).isoformat())
            pipeline.expire(key, _LIFETIME)
            pipeline.hgetall(key)
            *_, stored = await pipeline.execute()
        return _attempts(stored)

    async def forget(self, job_id: str) -> None:
        await cast("Awaitable[Any]", self._redis.delete(attempts_key(job_id)))


def attempts_key(job_id: str) -> str:
    return f"ibex:jobs:attempts:{job_id}"


def _attempts(stored: dict[bytes, bytes]) -> Attempts:
    return Attempts(int(stored.get(b"failures", b"0")), datetime.fromisoformat(stored[b"since"].decode()))
