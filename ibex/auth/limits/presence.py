"""How many processes count in the same Redis."""

from ibex.storage import Redis

_KEY = "ibex:processes"
_PRESENT_FOR = 5
# Redis's clock decides, so that a process whose own clock is wrong is counted all the same.
_SCRIPT = """
local now = tonumber(redis.call('TIME')[1])
local is_new = redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
return { redis.call('ZCARD', KEYS[1]), is_new }
"""


class Presence:
    """One process among those that have told of themselves in the last seconds."""

    def __init__(self, redis: Redis, process_id: str) -> None:
        self._redis = redis
        self._process_id = process_id

    async def announce(self) -> tuple[int, bool]:
        """How many there are, and whether Redis did not know of this one, as after it has lost its data."""
        present, is_new = await self._redis.execute_command(
            "EVAL", _SCRIPT, 1, _KEY, self._process_id, _PRESENT_FOR
        )
        return int(present), bool(is_new)

    async def leave(self) -> None:
        await self._redis.zrem(_KEY, self._process_id)
