"""IBEX as a user starts it, with a stub provider and, if wanted, a ClickHouse; each process can be killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import psycopg
import redis

from tests.end_to_end.instance import Instance, free_port
from tests.providers.stub import StubProvider

Target = Literal["web", "job", "valkey", "postgres", "clickhouse"]

# Limits are not what this is about, and what has died is to be taken over in the time of a test.
_SETTINGS = {
    "IBEX_LIMITS_TOKEN_RPM": "1000000",
    "IBEX_LIMITS_AGENT_RPM": "1000000",
    "IBEX_LIMITS_ORGANIZATION_RPM": "1000000",
    "IBEX_NOTIFICATIONS_ALLOW_HTTP": "true",
    "IBEX_NOTIFICATIONS_ALLOWED_NETWORKS": "127.0.0.0/8",
    "IBEX_NOTIFICATIONS_TIMEOUT_SECONDS": "1",
    "IBEX_TURN_BUFFER": "100000",
}


class ClickHouseEndpoint:
    """The engine in a process of its own, at an address that outlives it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self._process = self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def kill(self) -> None:
        """`kill -9`, and another one at once."""
        self.stop()
        self._process = self._start()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.clickhouse.bridge", str(self._directory), str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@dataclass
class Installation:
    """Processes, and how to look past them at what is stored."""

    instance: Instance
    clickhouse: ClickHouseEndpoint | None

    @property
    def targets(self) -> list[Target]:
        others: list[Target] = ["web", "job", "valkey", "postgres"]
        return others if self.clickhouse is None else [*others, "clickhouse"]

    def kill(self, target: Target, number: int) -> bool:
        """`kill -9` of one process of a kind, whichever `number` says; False when there is none right now."""
        if target == "clickhouse":
            assert self.clickhouse is not None
            self.clickhouse.kill()
            return True
        pids = self._pids(target)
        if not pids:
            return False
        os.kill(pids[number % len(pids)], signal.SIGKILL)
        return True

    def _pids(self, target: Target) -> list[int]:
        if target in ("web", "job"):
            # Jobs give way to calls.
            niceness = {"web": 0, "job": 10}[target]
            return [pid for pid in self.instance.workers() if _niceness(pid) == niceness]
        pid = self.instance.server({"valkey": "valkey-server"}.get(target, target))
        return [] if pid is None else [pid]

    @cached_property
    def addresses(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.instance.data_dir / "runtime.json").read_text("utf-8"))
        return found

    def database(self) -> "psycopg.Connection[tuple[object, ...]]":
        """As the superuser, whom no tenant hides anything from."""
        passwords = json.loads((self.instance.data_dir / "postgres" / "passwords.json").read_text("utf-8"))
        return psycopg.connect(
            self.addresses["postgres_dsn"], user="postgres", password=passwords["postgres"], autocommit=True
        )

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.addresses["redis_url"], socket_timeout=1.0)


@contextmanager
def installation(folder: Path, *, with_clickhouse: bool) -> Iterator[Installation]:
    """Two web and two job processes, with the bundled servers."""
    clickhouse = ClickHouseEndpoint(folder / "clickhouse") if with_clickhouse else None
    with StubProvider.run_in_thread() as stub:
        extra = {**_SETTINGS, "OPENAI_API_KEY": "sk-upstream", "OPENAI_BASE_URL": stub.base_url}
        if clickhouse is not None:
            extra["IBEX_CLICKHOUSE_URL"] = f"{clickhouse.url}/ibex"
        instance = Instance(folder / "ibex", "--workers", "2", "--jobs", "2", extra=extra)
        try:
            yield Installation(instance.wait_ready(), clickhouse)
        finally:
            instance.stop()
            if clickhouse is not None:
                clickhouse.stop()


def _niceness(pid: int) -> int | None:
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except ProcessLookupError:
        return None
