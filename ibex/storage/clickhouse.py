"""ClickHouse over HTTP, as far as it is needed: statements, rows out, rows in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit
from uuid import UUID

import orjson

from ibex.http1 import Answer, BrokenAnswerError, HttpClient, UnreachableError
from ibex.storage.postgres import DatabaseUnavailableError

# Seconds for a connection to be made.
_CONNECT = 5.0
# What stays wrong however often it is tried: values that cannot be read, and statements that make no sense.
# Everything else passes: a full memory, too many queries, a replica that only reads, a missing right.
_BAD_VALUES = frozenset(
    {"6", "26", "27", "38", "41", "53", "69", "72", "117", "131", "321", "349", "376", "457"}
)
_BAD_STATEMENTS = frozenset({"43", "46", "47", "62"})
# An answer that is asked for is as long as a page of rows; more is a mistake.
_LARGEST_ANSWER = 64 << 20
_SETTINGS: Mapping[str, str] = {
    "date_time_input_format": "best_effort",
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": "0",
    # Nothing has been sent when a statement fails, so a failure is never taken for rows.
    "wait_end_of_query": "1",
    # Rows of one key are of one moment, so they are never in two partitions.
    "do_not_merge_across_partitions_select_final": "1",
    # What is written twice is the same both times, so an index that leaves out one leaves out the other.
    "use_skip_indexes_if_final": "1",
}

Value = str | int | float | UUID | datetime | Sequence[str] | None


class ClickHouseError(Exception):
    """ClickHouse refuses a statement or a row, and would again. The message is its own first line."""


class ClickHouse:
    """One database of a server.

    Values are parameters of ClickHouse's own, `{name:Type}` in a statement; they never become part of it.

    Parameters
    ----------
    url: `http://user:password@host:8123/database`; the port is 8443 for `https`. Without a database it is
        `default`.
    timeout: seconds that a statement may take; the server is told as well.
    """

    def __init__(self, url: str, *, timeout: float = 10.0, connections: int = 8) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        port = parts.port or (8443 if parts.scheme == "https" else 8123)
        self.database = unquote(parts.path.strip("/")) or "default"
        self._timeout = timeout
        self._http = HttpClient(
            urlunsplit((parts.scheme, f"{shown}:{port}", "", "", "")),
            connect_timeout=min(_CONNECT, timeout),
            connections=connections,
        )
        self._headers = {"Content-Type": "application/octet-stream"}
        if parts.username:
            self._headers["X-ClickHouse-User"] = unquote(parts.username)
            self._headers["X-ClickHouse-Key"] = unquote(parts.password or "")

    async def fetch(self, query: LiteralString, **values: Value) -> list[dict[str, Any]]:
        """The rows of a statement, by the names of their columns.

        Raises `ClickHouseError`, and `DatabaseUnavailableError` when it may be asked again.
        """
        body = await self._send({"default_format": "JSONEachRow", **_bound(values)}, query.encode())
        return [orjson.loads(line) for line in body.splitlines() if line]

    async def execute(self, statement: str, *, database: bool = True, **values: Value) -> None:
        """A statement without rows. `database` is whether it needs that of the address to be there."""
        await self._send(_bound(values), statement.encode(), database=database)

    async def insert(self, statement: LiteralString, rows: Iterable[Any]) -> None:
        """Rows for `INSERT INTO … FORMAT JSONEachRow`; all of them or none.

        Raises `ClickHouseError` when it is a row that is refused. A statement that makes no sense to this
        server, or to a view of somebody's behind the table, is no fault of the rows: they may be sent again.
        """
        lines = b"\n".join(map(orjson.dumps, rows))
        if lines:
            await self._send({"query": statement}, lines, mistakes=_BAD_VALUES)

    async def ping(self) -> None:
        await self.fetch("SELECT 1")

    async def close(self) -> None:
        self._http.close()

    async def _send(
        self,
        options: Mapping[str, str],
        body: bytes,
        *,
        database: bool = True,
        mistakes: Collection[str] = _BAD_VALUES | _BAD_STATEMENTS,
    ) -> bytes:
        there = {"database": self.database} if database else {}
        query = urlencode(
            {**_SETTINGS, **there, "max_execution_time": f"{max(1, round(self._timeout))}", **options}
        )
        head = self._http.head("POST", f"/?{query}", self._headers)
        try:
            async with asyncio.timeout(self._timeout), self._answer(head, body) as answer:
                content = await _read(answer)
        except (UnreachableError, BrokenAnswerError, TimeoutError) as error:
            raise DatabaseUnavailableError(f"ClickHouse does not answer ({type(error).__name__})") from error
        if answer.status == 200:
            return content
        raise _refusal(answer, content, mistakes)

    @contextlib.asynccontextmanager
    async def _answer(self, head: bytes, body: bytes) -> AsyncIterator[Answer]:
        answer = await self._http.send(head, body)
        try:
            yield answer
        finally:
            answer.close()


async def _read(answer: Answer) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := await answer.read_chunk():
        size += len(chunk)
        if size > _LARGEST_ANSWER:
            raise BrokenAnswerError("the answer is too large")
        chunks.append(chunk)
    return b"".join(chunks)


def _refusal(answer: Answer, content: bytes, mistakes: Collection[str]) -> Exception:
    """What it says may quote values, which are content now and then: only its code is passed on."""
    code = answer.headers.get("X-ClickHouse-Exception-Code", "unknown")
    message = f"ClickHouse answers {answer.status}, code {code}"
    if code not in mistakes:
        return DatabaseUnavailableError(message)
    name = content[:4_096].decode("utf-8", "replace").rpartition("(")[2].partition(")")[0]
    return ClickHouseError(f"{message} {name}" if name.isupper() else message)


def _bound(values: Mapping[str, Value]) -> dict[str, str]:
    """Parameters as they are in an address (ClickHouse, "HTTP interface"), None as `\\N`."""
    return {f"param_{name}": _text(value) for name, value in values.items()}


def _text(value: Value) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    return str(value)


# Values are read as cells of a table that is separated by tabs.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": "\\0"})
