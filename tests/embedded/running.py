"""Servers that are stopped whatever a test does, and what a test asks of them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis

from ibex.embedded import PostgresServer, ValkeyServer


def ignore(sentence: str) -> None:
    """Take a report and keep silent."""


@contextmanager
def running_postgres(data: Path, *, report: Callable[[str], None] = ignore) -> Iterator[PostgresServer]:
    """A PostgreSQL server on `data` that is ready."""
    server = PostgresServer(data / "postgres", report=report)
    try:
        server.launch()
        server.wait_ready()
        yield server
    finally:
        server.stop()


@contextmanager
def running_valkey(data: Path, *, report: Callable[[str], None] = ignore) -> Iterator[ValkeyServer]:
    """A Valkey server on `data` that is ready."""
    server = ValkeyServer(data / "valkey", report=report)
    try:
        server.launch()
        server.wait_ready()
        yield server
    finally:
        server.stop()


def rows(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    """What `statement` returns to the role of `dsn`; nothing when it returns no rows."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@contextmanager
def client(url: str) -> Iterator["redis.Redis"]:
    """A redis-py client that is closed at the end."""
    connection = redis.Redis.from_url(url, decode_responses=True)
    try:
        yield connection
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Return as soon as `condition` holds; fail when it still does not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether no process of this id runs; one that nobody has reaped yet does not run."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"
