"""Some clients of one process, which ask as often as they can: `python -m tests.auth.limits.crowd`.

Its input is one JSON object: where Redis is, the organization and its agent, the limits, how many clients and
how many requests. Its output is how many requests were admitted under each dimension.
"""

import asyncio
import json
import sys
from collections import Counter
from typing import Any, get_args
from uuid import UUID

from ibex.auth import LimitSet, RateLimiter
from ibex.auth.limits import Limit
from ibex.auth.limits.limit import Dimension
from ibex.storage import connect


async def ask(given: Any) -> Counter[str]:
    redis = connect(given["redis_url"], timeout=5.0)
    limiter = RateLimiter(
        redis,
        process_id=given["name"],
        timeout=5.0,
        on_fallback=lambda org_id: sys.exit("Redis was away"),
        on_restore=lambda org_id: None,
    )
    limiter.start()
    org_id, admitted = UUID(given["org_id"]), Counter[str]()

    async def client() -> None:
        for dimension in get_args(Dimension):
            under = LimitSet.of([Limit("agent", dimension, given["agent"], given[dimension])])
            for _ in range(given["times"]):
                # A lease is kept to the end, so that those held at a time are all that were admitted.
                verdict, _ = await limiter.check(org_id, under, tokens=7)
                admitted[dimension] += verdict.admitted

    await asyncio.gather(*(client() for _ in range(given["clients"])))
    await limiter.stop()
    await redis.aclose()
    return admitted


if __name__ == "__main__":
    json.dump(asyncio.run(ask(json.load(sys.stdin))), sys.stdout)
