"""What is in Redis, as it would be read: a dump may be compressed, and hide what is looked for."""

from collections.abc import Callable
from typing import Any

import redis


def everything_in_redis(url: str) -> dict[str, str]:
    """Key → what is under it."""
    client: Any = redis.Redis.from_url(url)
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"list": lambda key: client.lrange(key, 0, -1),
        b"stream": client.xrange,
    }
    try:
        keys = client.keys("*")
        kinds = [client.type(key) for key in keys]
        return {
            key.decode("latin-1"): str(readers[kind](key))
            for key, kind in zip(keys, kinds, strict=True)
            # One that has expired in between.
            if kind != b"none"
        }
    finally:
        client.close()
