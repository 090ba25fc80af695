"""One of the processes that serve, as far as directives are concerned."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ibex.auth import AgentPrincipal, Change
from ibex.context.directives import DirectiveResolver
from ibex.context.directives.sessions import SessionVersions
from ibex.storage import Redis, connect
from tests.auth.feeds import NOWHERE_REDIS
from tests.auth.validators import Clock, CountingPostgres
from tests.fixtures import Database


@dataclass(slots=True)
class Process:
    """A resolver on pools of its own, with a clock and a feed that a test holds."""

    resolver: DirectiveResolver
    postgres: CountingPostgres
    redis: Redis
    clock: Clock
    hears: bool = True

    async def number(self, principal: AgentPrincipal, conversation: str = "chat-1") -> int | None:
        """The number of the version that a conversation gets."""
        found = await self.resolver.resolve(principal, conversation)
        return found.number if found else None

    async def numbers(self, principal: AgentPrincipal, conversations: Iterable[str]) -> dict[str, int | None]:
        return {each: await self.number(principal, each) for each in conversations}

    def hear(self, principal: AgentPrincipal) -> None:
        """Of a change of the agent's directives."""
        self.resolver.forget(Change("directive", principal.agent_id))


@asynccontextmanager
async def process(
    database: Database,
    *,
    postgres_dsn: str | None = None,
    redis_url: str | None = None,
    capacity: int = 100,
    remembers_sessions: int = 10_000,
) -> AsyncIterator[Process]:
    postgres = CountingPostgres(postgres_dsn or database.service_dsn, connections=4, wait=1.0)
    redis = connect(redis_url or database.redis_url, timeout=5.0)
    await postgres.open()
    clock = Clock()
    resolver = DirectiveResolver(
        postgres,
        SessionVersions(redis, timeout=5.0, capacity=remembers_sessions, clock=clock),
        cache_seconds=30.0,
        timeout=5.0,
        feed_is_live=lambda: running.hears,
        capacity=capacity,
        clock=clock,
    )
    running = Process(resolver, postgres, redis, clock)
    try:
        yield running
    finally:
        await redis.aclose()
        await postgres.close()


@asynccontextmanager
async def process_without_redis(database: Database) -> AsyncIterator[Process]:
    async with process(database, redis_url=NOWHERE_REDIS) as running:
        yield running
