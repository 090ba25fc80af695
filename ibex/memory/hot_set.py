"""The memories of a scope that matter most whatever is asked, in Redis: for want of time to search."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from pydantic import TypeAdapter, ValidationError
from redis.exceptions import RedisError

from ibex.memory.memory import Scope
from ibex.memory.repository import hot_rows
from ibex.memory.repository.hot_rows import HotRow, PartitionVersion
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.retrieval.half_life import half_life
from ibex.memory.retrieval.ranking import CONFIDENCE, RECENCY, USE, USEFULNESS
from ibex.storage import DatabaseUnavailableError, Postgres, Redis, organization_key

logger = logging.getLogger(__name__)

SIZE = 50
# As many uses as count in full.
_MANY_USES = 100
_UNREACHABLE = (RedisError, OSError, TimeoutError)

# Two processes may tell of two changes in either order: the later state stays.
_STORE = """
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or -1)
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision') or -1)
if epoch > tonumber(ARGV[1]) or (epoch == tonumber(ARGV[1]) and revision > tonumber(ARGV[2])) then
    return 0
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'revision', ARGV[2], 'memories', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""

_rows = TypeAdapter(list[HotRow])
Entry = tuple[PartitionVersion, Sequence[HotRow]]
# Of a partition that nobody has written to.
_NOWHERE = PartitionVersion(-1, -1)


@dataclass(frozen=True, slots=True)
class HotMemories:
    """Best first, `SIZE` at most.

    Parameters
    ----------
    shows: the state of each partition that a hot set was found of; of the others nothing is known.
    """

    memories: Sequence[HotRow]
    shows: Mapping[PartitionKey, PartitionVersion]


class HotSet:
    """One entry per partition, made anew after each change of it.

    What a crash, or a Redis that was away, has left behind is found out by its revision at the next `of`.

    Parameters
    ----------
    within: seconds that Redis may take.
    lifetime: seconds that an entry is kept, and so may be behind when Redis was not reached after a change.
    """

    def __init__(
        self,
        postgres: Postgres,
        redis: Redis,
        *,
        within: float = 0.05,
        lifetime: float = 900.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._postgres = postgres
        self._redis = redis
        self._within = within
        self._lifetime = lifetime
        self._now = now

    async def changed(self, key: PartitionKey) -> None:
        """To be called after each commit that has changed memories of a partition. Raises nothing.

        What cannot be made anew is removed; what cannot be removed either is there until it expires.
        """
        try:
            await self._keep(key, await self._made(key))
        except (DatabaseUnavailableError, *_UNREACHABLE) as error:
            logger.warning("a hot set was not brought up to date (%s)", type(error).__name__)
            with suppress(*_UNREACHABLE):
                await self._bounded(self._redis.delete(_name(key)))

    async def of(self, scope: Scope) -> HotMemories:
        """As Postgres has it at this moment: what Redis has is taken where it is of the newest revision.

        Raises `DatabaseUnavailableError`.
        """
        newest = await hot_rows.versions_of(self._postgres, scope)
        found = {
            key: entry for key, entry in (await self._entries(scope)).items() if newest.get(key) == entry[0]
        }
        for key in newest.keys() - found.keys():
            found[key] = entry = await self._made(key)
            with suppress(*_UNREACHABLE):
                await self._keep(key, entry)
        return self._best(found)

    async def remembered(self, scope: Scope) -> HotMemories:
        """What Redis has, which may be behind. Raises nothing: without Redis it is nothing."""
        return self._best(await self._entries(scope))

    def _best(self, entries: Mapping[PartitionKey, Entry]) -> HotMemories:
        now = self._now()
        rows = [row for _, rows in entries.values() for row in rows if row.holds(now)]
        return HotMemories(ranked(rows, now)[:SIZE], {key: version for key, (version, _) in entries.items()})

    async def _made(self, key: PartitionKey) -> Entry:
        # The state first: rows that are newer than it do no harm, older ones would.
        version = await hot_rows.version_of(self._postgres, key)
        if version is None:
            return _NOWHERE, ()
        return version, ranked(await hot_rows.hot_rows(self._postgres, key), self._now())[:SIZE]

    async def _keep(self, key: PartitionKey, entry: Entry) -> None:
        version, rows = entry
        if version == _NOWHERE:
            return
        arguments = (version.epoch, version.revision, orjson.dumps(rows), int(self._lifetime * 1_000))
        await self._bounded(
            cast("Awaitable[Any]", self._redis.eval(_STORE, 1, _name(key), *arguments))  # type: ignore[arg-type]
        )

    async def _entries(self, scope: Scope) -> dict[PartitionKey, Entry]:
        """Those that can be read, of all partitions of a scope."""
        keys = [
            PartitionKey(scope.org_id, agent_id, user_id)
            for agent_id in (scope.agent_id, None)
            for user_id in dict.fromkeys((scope.user_id, None))
        ]
        try:
            stored = await self._bounded(self._read(keys))
        except _UNREACHABLE:
            return {}
        entries: dict[PartitionKey, Entry] = {}
        for key, (epoch, revision, memories) in zip(keys, stored, strict=True):
            with suppress(ValidationError, TypeError, ValueError):
                entries[key] = PartitionVersion(int(epoch), int(revision)), _rows.validate_json(memories)
        return entries

    async def _read(self, keys: Sequence[PartitionKey]) -> list[list[Any]]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hmget(_name(key), ["epoch", "revision", "memories"])
            return await pipeline.execute()

    async def _bounded(self, asked: Awaitable[Any]) -> Any:
        async with asyncio.timeout(self._within):
            return await asked


def ranked(rows: Sequence[HotRow], now: datetime) -> list[HotRow]:
    """Pinned ones first, then by all that ranks search results but their relevance."""

    def standing(row: HotRow) -> tuple[bool, float]:
        age = max((now - row.observed_at).total_seconds(), 0.0)
        recency = 0.5 ** (age / half_life(row.kind))
        use = min(row.uses / _MANY_USES, 1.0)
        score = RECENCY * recency + USEFULNESS * row.usefulness + CONFIDENCE * row.confidence + USE * use
        return row.pinned, score

    return sorted(rows, key=standing, reverse=True)


def _name(key: PartitionKey) -> str:
    # The user's id comes last, since it may be any text.
    user = "anybody" if key.user_id is None else f"user:{key.user_id}"
    return organization_key(key.org_id, "memory", "hot", key.agent_id or "shared", user)
