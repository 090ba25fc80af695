"""The stream of traces between the processes that serve and those that store: one key of one Redis."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis as SingleRedis
from redis.exceptions import RedisError, ResponseError

_STREAM = "ibex:traces"
# How many traces the entries of the stream hold.
_WAITING = "ibex:traces:waiting"
_REFUSED = "ibex:traces:refused"
_GROUP = "shipping"

# What could not be stored is kept for somebody to look at: so many entries, for a week.
_MOST_REFUSED = 100
_REFUSED_FOR = 7 * 86_400
# A consumer that has not asked for so long, and has nothing, is gone (milliseconds).
_FORGOTTEN_AFTER = 3_600_000

_ADD = """
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[1]) then
    return 0
end
redis.call('XADD', KEYS[1], '*', 'count', ARGV[2], 'traces', ARGV[3])
redis.call('INCRBY', KEYS[2], ARGV[2])
return 1
"""

# It frees memory, so it may run when there is none left; what it keeps is bounded. What two have finished
# counts once, and only the first of them sets anything aside.
_FINISH = """#!lua flags=allow-oom
local entries = 5 + 2 * tonumber(ARGV[4])
local removed = 0
for i = entries, #ARGV, 2 do
    redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
    if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
        redis.call('DECRBY', KEYS[2], ARGV[i + 1])
        removed = removed + 1
    end
end
if redis.call('XLEN', KEYS[1]) == 0 then
    redis.call('DEL', KEYS[2])
end
if removed > 0 and entries > 5 then
    for i = 5, entries - 1, 2 do
        redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[2], '*', 'reason', ARGV[i], 'traces', ARGV[i + 1])
    end
    redis.call('EXPIRE', KEYS[3], ARGV[3])
end
return removed
"""

_BACKLOG = """
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local time = redis.call('TIME')
local since = 0
if first then
    since = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(string.match(first[1], '^%d+'))
end
return {tonumber(redis.call('GET', KEYS[2]) or '0'), since}
"""

# Looking and removing are one: a consumer that is removed while it has something takes it along for good.
_FORGET = """
for _, told in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local consumer = {}
    for i = 1, #told, 2 do
        consumer[told[i]] = told[i + 1]
    end
    if consumer['pending'] == 0 and consumer['idle'] > tonumber(ARGV[2]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    end
end
"""


class StreamFullError(RedisError):
    """As many traces wait as may: nobody ships them, or not fast enough."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch in the stream. `count` is how many traces are in it, by whoever has put it there."""

    id: bytes
    count: int
    packed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """What can never be stored, how many traces are in it, and why."""

    packed: bytes = field(repr=False)
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many traces wait to be stored, and for how long the oldest of them has (seconds)."""

    traces: int
    age: float


class TraceStream:
    """Batches of traces, each given to one of those who store them, until it says that they are stored.

    Everything here raises `redis.RedisError` and `OSError` when Redis is away.

    Parameters
    ----------
    redis: the server of the job queue. Its patience must be longer than anybody waits in `read`.
    longest: traces that wait at most; beyond, batches are refused.
    """

    def __init__(self, redis: SingleRedis, *, longest: int) -> None:
        self._redis = redis
        self._longest = longest

    async def add(self, packed: bytes, count: int) -> None:
        """Raises `StreamFullError` when there is no room for any more."""
        if not await self._run(_ADD, (_STREAM, _WAITING), self._longest, count, packed):
            raise StreamFullError

    async def read(self, consumer: str, *, most: int, within: float) -> list[Entry]:
        """Entries that nobody was given yet; waited for `within` so many seconds, or not at all for 0."""
        block = max(1, int(within * 1e3)) if within else None
        try:
            given = await self._redis.xreadgroup(_GROUP, consumer, {_STREAM: ">"}, count=most, block=block)
        except ResponseError as error:
            await self._begin(error)
            return []
        return _entries(given[0][1]) if given else []

    async def claim(self, consumer: str, *, most: int, idle: float) -> list[Entry]:
        """Entries that somebody was given and has not finished for `idle` seconds."""
        try:
            answer = await self._redis.xautoclaim(
                _STREAM, _GROUP, consumer, min_idle_time=int(idle * 1e3), count=most
            )
            await self._run(_FORGET, (_STREAM,), _GROUP, _FORGOTTEN_AFTER)
        except ResponseError as error:
            await self._begin(error)
            return []
        return _entries(answer[1])

    async def finish(self, entries: Iterable[Entry], refused: Sequence[Refused] = ()) -> bool:
        """They are stored, and go; what is refused of them is kept for somebody to look at.

        Returns whether they were there until now: somebody else may have finished them.
        """
        aside = [value for each in refused for value in (each.reason, each.packed)]
        told = [value for entry in entries for value in (entry.id, entry.count)]
        removed = await self._run(
            _FINISH,
            (_STREAM, _WAITING, _REFUSED),
            _GROUP,
            _MOST_REFUSED,
            _REFUSED_FOR,
            len(refused),
            *aside,
            *told,
        )
        return bool(removed)

    async def backlog(self) -> Backlog:
        waiting, age = await self._run(_BACKLOG, (_STREAM, _WAITING))
        return Backlog(waiting, max(age, 0) / 1e3)

    async def _begin(self, error: ResponseError) -> None:
        """Make the group, which is not there in a new Redis; it is given what is in the stream already."""
        if not str(error).startswith("NOGROUP"):
            raise error
        try:
            await self._redis.xgroup_create(_STREAM, _GROUP, id="0", mkstream=True)
        except ResponseError as other:
            # Another process was faster.
            if not str(other).startswith("BUSYGROUP"):
                raise

    async def _run(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        running: Any = self._redis.eval(script, len(keys), *keys, *arguments)
        return await running


def _entries(told: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Entry]:
    return [_entry(entry_id, fields) for entry_id, fields in told]


def _entry(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    """Whatever somebody has put there can be finished, also when it is no batch."""
    count = fields.get(b"count", b"0")
    return Entry(entry_id, int(count) if count.isdigit() else 0, fields.get(b"traces", b""))
