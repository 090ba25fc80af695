"""The pool, and the one way to run a query: inside a transaction that has its tenant set."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import AsyncRowFactory, BaseRowFactory, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

SERVICE_ROLE = "ibex_service"

Row = TypeVar("Row")
Parameters = Sequence[Any] | Mapping[str, Any]
Connection = psycopg.AsyncConnection[tuple[Any, ...]]

# The role is set per transaction and not per connection: whatever role logs in, and whatever
# transaction pooler stands between, a statement never runs with more rights than the service has.
_ENTER = "SELECT set_config('role', %s, true), set_config('app.current_org_id', %s, true)"


class DatabaseUnavailableError(Exception):
    """Postgres cannot be reached, or no connection was free in time."""


class Postgres:
    """A pool of connections to PostgreSQL.

    Parameters
    ----------
    dsn: libpq connection string or URI; any role that is, or may become, `ibex_service`.
    connections: most connections this process holds.
    wait: seconds to wait for a free connection before `DatabaseUnavailableError`.
    """

    def __init__(self, dsn: str, *, connections: int = 10, wait: float = 5.0) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=connections,
            timeout=wait,
            reconnect_timeout=5.0,
            open=False,
            name="ibex",
            kwargs={"application_name": "ibex", "connect_timeout": 5, "autocommit": False},
        )

    async def open(self) -> None:
        """Start connecting in the background; a database that is away does not stop the start."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2.0)

    @asynccontextmanager
    async def transaction(self, org_id: UUID | None) -> AsyncIterator[Connection]:
        """A transaction that sees the rows of one organization; with None, of no organization."""
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(_ENTER, (SERVICE_ROLE, _text(org_id)))
                yield connection
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise DatabaseUnavailableError(str(error)) from error

    async def fetch_all(
        self,
        org_id: UUID | None,
        query: LiteralString,
        parameters: Parameters = (),
        *,
        row: BaseRowFactory[Row] | AsyncRowFactory[Row],
    ) -> list[Row]:
        """Rows of one statement. Transaction, tenant and statement travel in a single round trip.

        A connection that died while it was idle is replaced and the statement sent once more, so it must
        be one that may run twice.
        """

        async def run(connection: Connection) -> list[Row]:
            async with connection.cursor(row_factory=row) as cursor:
                async with connection.pipeline(), connection.transaction():
                    await connection.execute(_ENTER, (SERVICE_ROLE, _text(org_id)))
                    await cursor.execute(query, parameters)
                return await cursor.fetchall()

        return await self._with_connection(run)

    async def fetch_one(
        self,
        org_id: UUID | None,
        query: LiteralString,
        parameters: Parameters = (),
        *,
        row: BaseRowFactory[Row] | AsyncRowFactory[Row],
    ) -> Row | None:
        """The first row of one statement, or None; otherwise as `fetch_all`."""
        rows = await self.fetch_all(org_id, query, parameters, row=row)
        return rows[0] if rows else None

    async def ping(self) -> None:
        """One round trip. Raises `DatabaseUnavailableError`."""
        await self.fetch_all(None, "SELECT 1", row=tuple_row)

    async def _with_connection(self, run: Callable[[Connection], Awaitable[Row]]) -> Row:
        try:
            try:
                async with self._pool.connection() as connection:
                    return await run(connection)
            except psycopg.OperationalError:
                if not connection.closed:
                    raise
                await self._pool.check()
                async with self._pool.connection() as connection:
                    return await run(connection)
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise DatabaseUnavailableError(str(error)) from error


def _text(org_id: UUID | None) -> str:
    return "" if org_id is None else str(org_id)
