"""A minute of killing."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from redis.exceptions import RedisError

from ibex.storage import connect_single
from ibex.workers import JobQueue
from tests.faults.killing.doubt import Outage, doubtful
from tests.faults.killing.installation import Installation, Target, installation
from tests.faults.killing.ledger import Stored, settled
from tests.faults.killing.load import Callers, Told
from tests.faults.waiting import until
from tests.notifications.endpoint import Endpoint

# Between two deaths, in seconds: so that some come while what died before is not back yet.
_BETWEEN = (0.2, 2.0)
_POISON = "nobody.knows"


@dataclass(slots=True)
class Outcome:
    """What callers were told, what was stored, and what may differ.

    Parameters
    ----------
    killed: how often each kind of process was.
    must_be_there: ids of calls whose traces were in Redis for certain.
    in_doubt: ids of calls that may have died with a process.
    delivered: ids of memories that the webhook was told of, and how often.
    """

    seconds: float
    killed: Counter[Target]
    told: Told
    must_be_there: set[str]
    in_doubt: set[str]
    delivered: Counter[str]
    stored: Stored
    settled_after: float


@dataclass(slots=True)
class _Deaths:
    killed: Counter[Target] = field(default_factory=Counter)
    web: list[float] = field(default_factory=list)
    redis: list[Outage] = field(default_factory=list)


async def assault(
    folder: Path, seconds: float, seed: int, *, with_clickhouse: bool, with_poison: bool
) -> Outcome:
    """Kill for so many seconds, wait until everything has settled, and count.

    A job that nobody can do (`with_poison`) is a dead letter after two minutes, which are waited for.
    """
    chance = random.Random(seed)
    async with Endpoint() as endpoint:
        with installation(folder, with_clickhouse=with_clickhouse) as running:
            instance = running.instance
            if with_poison:
                await _leave_poison(running)
            callers = Callers(instance.url, instance.token)
            await callers.subscribe(f"http://127.0.0.1:{endpoint.port}/")
            callers.start()
            deaths = await _kill_on(running, chance, seconds)
            await callers.stop()
            began = time.monotonic()
            stored = await settled(running, endpoint, callers.told)
            settled_after = time.monotonic() - began
    spans = doubtful(deaths.web, deaths.redis)
    told = callers.told
    in_doubt = {
        call for call, at in told.answered.items() if any(since <= at <= death for since, death in spans)
    }
    return Outcome(
        seconds=seconds,
        killed=deaths.killed,
        told=told,
        must_be_there=set(told.answered) - in_doubt,
        in_doubt=in_doubt,
        delivered=_delivered(endpoint),
        stored=stored,
        settled_after=settled_after,
    )


async def _kill_on(running: Installation, chance: random.Random, seconds: float) -> _Deaths:
    deaths = _Deaths()
    end = time.monotonic() + seconds
    watching: list[asyncio.Task[None]] = []
    while (now := time.monotonic()) < end:
        await asyncio.sleep(min(chance.uniform(*_BETWEEN), end - now))
        target, number = chance.choice(running.targets), chance.randrange(100)
        at = time.monotonic()
        if not await asyncio.to_thread(running.kill, target, number):
            continue
        deaths.killed[target] += 1
        if target == "web":
            deaths.web.append(time.monotonic())
        if target == "valkey":
            watching.append(asyncio.create_task(_watch_outage(running, at, deaths.redis)))
    await asyncio.gather(*watching)
    return deaths


async def _watch_outage(running: Installation, since: float, outages: list[Outage]) -> None:
    """Until Redis answers again, and for as long as it may take to notice that it was away."""

    def answers() -> bool:
        client = running.redis()
        try:
            return bool(client.ping())
        except (RedisError, OSError):
            return False
        finally:
            client.close()

    await until(lambda: asyncio.to_thread(answers), seconds=60)
    outages.append(Outage(since, time.monotonic()))


async def _leave_poison(running: Installation) -> None:
    """A job that nobody can do."""
    org_id = UUID(running.instance.credentials["org_id"])
    client = connect_single(running.addresses["redis_url"], timeout=5.0)
    await JobQueue(client).put(_POISON, {f"{_POISON}:{org_id}:1": {"org_id": str(org_id)}})
    await client.aclose()


def _delivered(endpoint: Endpoint) -> Counter[str]:
    """By event, so that what was sent twice under one id counts once."""
    events = {each.id: each.json() for each in endpoint.received}
    return Counter(
        memory
        for event in events.values()
        if event["type"] == "memory.quarantined"
        for memory in event["data"]["memory_ids"]
    )
