"""Redis or Valkey: whether it is recent, keeps what it is given, and survives a restart."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from redis.exceptions import RedisError

from ibex.doctor.finding import Finding, ok, problem, warning
from ibex.serving.dependencies import connect_redis
from ibex.serving.errors import PreparationError
from ibex.settings import Settings

_OLDEST = 7


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """A server as INFO describes it. `saves` is None when it does not tell its snapshots."""

    name: str
    version: str
    policy: str
    appends: bool
    saves: bool | None


def redis(settings: Settings, url: str) -> Iterator[Finding]:
    try:
        facts = asyncio.run(_read_facts(url))
    except PreparationError as error:
        yield problem("Redis", str(error), "Correct it.")
        return
    except (RedisError, OSError) as error:
        yield problem("Redis", f"It cannot be used: {type(error).__name__}.", _where_to_look(settings))
        return
    yield version(facts)
    yield policy(facts)
    yield persistence(facts)


def _where_to_look(settings: Settings) -> str:
    if settings.redis_url is not None:
        return "Check IBEX_REDIS_URL and that the server runs."
    return "If IBEX is not just starting, look at logs/valkey.log in the data directory."


def version(facts: RedisFacts) -> Finding:
    if int(facts.version.partition(".")[0]) < _OLDEST:
        return problem(
            "Redis", f"{facts.name} {facts.version} is too old.", "Use Redis or Valkey 7 or newer."
        )
    return ok("Redis", f"{facts.name} {facts.version} answers.")


def policy(facts: RedisFacts) -> Finding:
    if facts.policy != "noeviction":
        return problem(
            "Redis memory",
            f"maxmemory-policy is {facts.policy}, so jobs and limits may vanish.",
            "Set maxmemory-policy to noeviction.",
        )
    return ok("Redis memory", "Nothing is evicted.")


def persistence(facts: RedisFacts) -> Finding:
    if facts.appends:
        return ok("Redis persistence", "Every write is appended to a file.")
    if facts.saves:
        return warning(
            "Redis persistence",
            "Only snapshots are kept; a crash loses the jobs since the last one.",
            "Set appendonly to yes.",
        )
    found = (
        "Neither snapshots nor a log of writes are kept." if facts.saves is False else "appendonly is off."
    )
    return warning("Redis persistence", f"{found} A restart may lose jobs.", "Set appendonly to yes.")


async def _read_facts(url: str) -> RedisFacts:
    client = connect_redis(url)
    try:
        info = await client.info()
        try:
            saves = bool((await client.config_get("save"))["save"])
        except (RedisError, KeyError):
            saves = None
    finally:
        await client.aclose()
    is_valkey = "valkey_version" in info
    return RedisFacts(
        name="Valkey" if is_valkey else "Redis",
        version=str(info["valkey_version"] if is_valkey else info["redis_version"]),
        policy=str(info.get("maxmemory_policy", "unknown")),
        appends=bool(info.get("aof_enabled")),
        saves=saves,
    )
