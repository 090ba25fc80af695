"""Validators on a real database, and a count of what they ask it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ibex.auth import TokenValidator
from ibex.errors import IbexError
from ibex.storage import Postgres
from tests.fixtures import Database
from tests.operator import PEPPER


class CountingPostgres(Postgres):
    """Counts statements; `before` and `after` run around each, for tests of what happens meanwhile."""

    statements = 0
    before: Callable[[], Any] | None = None
    after: Callable[[], Any] | None = None

    async def fetch_all(self, *arguments: Any, **options: Any) -> Any:
        self.statements += 1
        if self.before is not None:
            await self.before()
        rows = await super().fetch_all(*arguments, **options)
        if self.after is not None:
            await self.after()
        return rows


@dataclass(slots=True)
class Clock:
    """A clock that a test moves."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Checked:
    """A validator, the clock, feed and database that it looks at, and the refusals it has told of."""

    validator: TokenValidator
    postgres: CountingPostgres
    clock: Clock
    feed: list[bool]
    refused: list[tuple[UUID, str, str | None]]

    async def code(self, token: str, agent: str | None = None, address: str | None = None) -> str:
        """The agent's slug, or the code of the refusal."""
        try:
            return (await self.validator.authenticate_agent(token, agent, address)).agent_slug
        except IbexError as error:
            return str(error.code)

    @property
    def statements(self) -> int:
        return self.postgres.statements


@asynccontextmanager
async def checking(
    database: Database,
    *,
    pepper: bytes = PEPPER,
    cache_seconds: float = 30.0,
    within: float = 5.0,
    capacity: int = 10_000,
    feed_is_live: Callable[[], bool] | None = None,
) -> AsyncIterator[Checked]:
    postgres = CountingPostgres(database.service_dsn, connections=4, wait=1.0)
    await postgres.open()
    clock, feed = Clock(), [True]
    refused: list[tuple[UUID, str, str | None]] = []
    validator = TokenValidator(
        postgres,
        pepper,
        cache_seconds=cache_seconds,
        timeout=within,
        feed_is_live=feed_is_live or (lambda: feed[0]),
        refused=lambda principal, code, seen_from: refused.append((principal.token_id, code, seen_from)),
        capacity=capacity,
        clock=clock,
    )
    try:
        yield Checked(validator, postgres, clock, feed, refused)
    finally:
        await postgres.close()
