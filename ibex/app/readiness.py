"""What a process depends on, as `/ready` tells it."""

from ibex.memory.embedding import readiness
from ibex.settings import Settings
from ibex.storage import Stores
from ibex.telemetry.endpoints import Dependency


def dependencies(stores: Stores, settings: Settings) -> list[Dependency]:
    async def check_postgres() -> str:
        await stores.writing.ping()
        return "connected"

    async def check_redis() -> str:
        await stores.redis.ping()
        return "connected"

    async def say_retrieval() -> str:
        if readiness(settings).retrieval == "hybrid":
            return "found by words and by meaning"
        return "found by words alone; `ibex doctor` says why"

    async def say_built_in() -> str:
        return "built in"

    async def say_configured() -> str:
        return "configured"

    providers = [
        Dependency(
            f"provider:{name}",
            say_built_in if provider.kind == "mock" else say_configured,
            is_required=False,
            when_away="",
        )
        for name, provider in settings.providers.items()
    ]
    return [
        Dependency("postgres", check_postgres, True, "tokens that are not cached are refused with 503"),
        Dependency("redis", check_redis, False, "limits are counted per process, conservatively"),
        Dependency("memories", say_retrieval, is_required=False, when_away=""),
        *providers,
    ]
