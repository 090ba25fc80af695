"""The pool, and the one way to run a query: inside a transaction that has its tenant set."""

import asyncio
import select
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, LiteralString, TypeVar
from uuid import UUID

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.rows import AsyncRowFactory, BaseRowFactory, tuple_row
from psycopg_pool import AsyncConnectionPool

SERVICE_ROLE = "ibex_service"

Row = TypeVar("Row")
Result = TypeVar("Result")
Parameters = Sequence[Any] | Mapping[str, Any]
Connection = psycopg.AsyncConnection[tuple[Any, ...]]

# The role is set per transaction and not per connection: whatever role logs in, a statement never runs with
# more rights than the service has. The timeouts travel along: as options of the connection a pooler between
# might refuse them, or keep them for somebody else.
_ENTER = """
SELECT
    set_config('role', %s, true),
    set_config('app.current_org_id', %s, true),
    set_config('statement_timeout', %s, true),
    set_config('idle_in_transaction_session_timeout', %s, true)
"""

# Seconds between two looks at a silent connection. `wait_async` alone would look all the time.
_LOOK_UP_EVERY = 0.1

# Seconds that an advisory lock may be held between two statements. Far more than its holders need, who do
# their work on other connections; one that hangs keeps nobody out for ever.
_LONGEST_HOLD = 3_600.0

_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    # A server that was demoted by a failover still reads, but it is not the one to talk to.
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
)


class DatabaseUnavailableError(Exception):
    """Postgres cannot be reached, no connection was free in time, or the server only reads."""


class _ImpatientConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Hangs up when its caller leaves or the server says nothing for `patience` seconds.

    psycopg would first ask the server to cancel and wait for its consent, which one that hangs never gives:
    whoever gave up on it would still be waiting, and the pool be full of connections that nobody can use.
    """

    patience = 10.0

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = _LOOK_UP_EVERY,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Result:
        try:
            async with asyncio.timeout(self.patience):
                return await waiting.wait_async(gen, self.pgconn.socket, interval, timeout)
        except TimeoutError:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server does not answer") from None
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


class Postgres:
    """A pool of connections to PostgreSQL.

    Parameters
    ----------
    dsn: libpq connection string or URI; any role that is, or may become, `ibex_service`.
    connections: most connections this process holds.
    wait: seconds to wait for a free connection before `DatabaseUnavailableError`.
    waiting: most callers that wait for one; the next gets `DatabaseUnavailableError` at once.
    patience: seconds that the server may be silent before `DatabaseUnavailableError`. The server is as
        patient: it ends a statement that takes longer, and a transaction in which nothing is asked for so
        long, so that a process that hangs keeps no row locked.
    """

    def __init__(
        self,
        dsn: str,
        *,
        connections: int = 10,
        wait: float = 5.0,
        waiting: int = 1_000,
        patience: float = 10.0,
    ) -> None:
        class Configured(_ImpatientConnection):
            pass

        Configured.patience = patience
        self._patience = patience
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            connection_class=Configured,
            min_size=1,
            max_size=connections,
            timeout=wait,
            max_waiting=waiting,
            reconnect_timeout=5.0,
            open=False,
            name="ibex",
            kwargs={"application_name": "ibex", "connect_timeout": 5, "autocommit": True},
        )

    async def open(self) -> None:
        """Start connecting in the background; a database that is away does not stop the start."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2.0)

    @asynccontextmanager
    async def transaction(self, org_id: UUID | None) -> AsyncIterator[Connection]:
        """A transaction that sees the rows of one organization; with None, of no organization."""
        async with self._transaction(org_id, self._patience) as connection:
            yield connection

    async def fetch_all(
        self,
        org_id: UUID | None,
        query: LiteralString,
        parameters: Parameters = (),
        *,
        row: BaseRowFactory[Row] | AsyncRowFactory[Row],
        binary: bool = False,
    ) -> list[Row]:
        """Rows of one statement. Tenant and statement travel in a single round trip.

        What a pipeline sends up to its end is one transaction ("Pipelining" in PostgreSQL's description of
        its protocol), without a BEGIN or COMMIT that would have to be waited for. `binary` is worth it for
        many rows or long bytea.
        """
        async with self._statement(org_id, query, parameters, row, binary) as cursor:
            return await cursor.fetchall()

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

    async def execute(self, org_id: UUID | None, query: LiteralString, parameters: Parameters = ()) -> int:
        """How many rows one statement has changed; otherwise as `fetch_all`."""
        async with self._statement(org_id, query, parameters, tuple_row) as cursor:
            return cursor.rowcount

    @asynccontextmanager
    async def locked(self, key: int) -> AsyncIterator[None]:
        """Hold an advisory lock, once nobody else does; the server frees it when its holder dies."""
        async with self._transaction(None, _LONGEST_HOLD) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
            yield

    async def ping(self) -> None:
        """One round trip. Raises `DatabaseUnavailableError`."""
        await self.fetch_all(None, "SELECT 1", row=tuple_row)

    @asynccontextmanager
    async def _transaction(self, org_id: UUID | None, idle: float) -> AsyncIterator[Connection]:
        with _unavailability():
            async with self._connection() as connection, connection.transaction():
                await connection.execute(_ENTER, self._entry(org_id, idle))
                yield connection

    @asynccontextmanager
    async def _statement(
        self,
        org_id: UUID | None,
        query: LiteralString,
        parameters: Parameters,
        row: BaseRowFactory[Row] | AsyncRowFactory[Row],
        binary: bool = False,
    ) -> AsyncIterator[psycopg.AsyncCursor[Row]]:
        with _unavailability():
            async with self._connection() as connection, connection.cursor(row_factory=row) as cursor:
                async with connection.pipeline():
                    await connection.execute(_ENTER, self._entry(org_id, self._patience))
                    await cursor.execute(query, parameters, binary=binary)
                yield cursor

    def _entry(self, org_id: UUID | None, idle: float) -> tuple[str, str, str, str]:
        tenant = "" if org_id is None else str(org_id)
        return SERVICE_ROLE, tenant, _milliseconds(self._patience), _milliseconds(idle)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection whose server has not ended while it was idle; those that have died are replaced."""
        while True:
            async with self._pool.connection() as connection:
                if not _has_hung_up(connection):
                    yield connection
                    return
                await connection.close()


@contextmanager
def _unavailability() -> Iterator[None]:
    """The one place where errors of psycopg become `DatabaseUnavailableError`."""
    try:
        yield
    except _UNAVAILABLE as error:
        raise DatabaseUnavailableError(str(error)) from error


def first_line(error: BaseException) -> str:
    """What an error of the database says, without the statement and without a full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _has_hung_up(connection: Connection) -> bool:
    """Whether an idle connection has something to read, which costs no round trip to find out.

    Mostly it is that the server has ended. It may be news, as of a setting that was reloaded, and the
    connection be fine; then replacing it costs one connect.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1_000:.0f}ms"
