"""An IBEX started as a user starts it, and what one does with it."""

import asyncio
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from openai import AsyncOpenAI, OpenAI

from ibex.auth import Administration, Quota, key_ring, load_pepper
from ibex.settings import Settings
from ibex.storage import Postgres, connect_single
from tests.embedded.running import wait_for
from tests.end_to_end.processes import children, descendants, program

Result = TypeVar("Result")

_PATIENCE = 60.0
# A busy machine must not turn an answer into a timeout, nor into one without its memories.
_DEADLINES = {
    "IBEX_AUTH_TIMEOUT_SECONDS": "5",
    "IBEX_REDIS_TIMEOUT_SECONDS": "5",
    "IBEX_CONTEXT_DEADLINE_MS": "5000",
}
# Most tests are not about meaning, and those that are name the model that the tests have.
_NO_MODEL = {"IBEX_EMBEDDER_KIND": "none"}
_FOREIGN = ("IBEX_", "ANTHROPIC_", "OPENAI_", "OTEL_")


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the tests without anything that IBEX reads, and without an embedding model."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept | _NO_MODEL | dict(extra or {})


def run_ibex(
    *arguments: str, folder: Path, extra: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ibex", *arguments],
        cwd=folder,
        env=environment(extra),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )


class Instance:
    """`ibex serve` on a port of its own, with its output in files below `folder`."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        data_dir: Path | None = None,
        port: int | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.data_dir = data_dir or folder / "data"
        self.extra = dict(extra or {})
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        command = ["serve", "--data-dir", str(self.data_dir), "--port", str(self.port), *arguments]
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ibex", *command],
                cwd=folder,
                env=environment({**_DEADLINES, **self.extra}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text("utf-8")

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text("utf-8")

    @property
    def credentials(self) -> dict[str, str]:
        kept: dict[str, str] = json.loads((self.data_dir / "credentials.json").read_text("utf-8"))
        return kept

    @property
    def token(self) -> str:
        return self.credentials["token"]

    def wait_ready(self) -> "Instance":
        """Return once it has said that it is ready; fails with what it said when it ends before."""
        wait_for(lambda: "Shell:" in self.stderr or self.process.poll() is not None, seconds=_PATIENCE)
        assert self.process.poll() is None, self.stderr + self.stdout
        return self

    def openai(self, token: str | None = None, **options: Any) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=token or self.token, max_retries=0, **options)

    def async_openai(self, token: str | None = None, **options: Any) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key=token or self.token, max_retries=0, **options)

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Whether every dependency is there."""
        try:
            status, body = self.get("/ready")
        except OSError:
            return False
        # The first worker may come a moment after the first web process.
        dependencies = {**json.loads(body)["dependencies"], "workers": {"ok": True}}
        return status == 200 and all(state["ok"] for state in dependencies.values())

    def ibex(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Another command on the same data directory."""
        return run_ibex("--data-dir", str(self.data_dir), *arguments, folder=self.folder, stdin=stdin)

    def administer(self, work: Callable[[Administration, UUID], Awaitable[Result]]) -> Result:
        """Do what no command does, with the running servers; `work` gets the default organization's id."""
        addresses = json.loads((self.data_dir / "runtime.json").read_text("utf-8"))

        async def run() -> Result:
            postgres = Postgres(addresses["postgres_dsn"], connections=1)
            redis = connect_single(addresses["redis_url"], timeout=5.0)
            await postgres.open()
            try:
                administration = Administration.over(
                    postgres,
                    redis,
                    load_pepper(self.data_dir, None),
                    key_ring(self.data_dir, None, None),
                    ("mock",),
                    Quota.of(Settings()),
                )
                return await work(administration, UUID(self.credentials["org_id"]))
            finally:
                await redis.aclose()
                await postgres.close()

        return asyncio.run(run())

    def workers(self) -> list[int]:
        """The processes forked from the supervisor."""
        return [child for child in children(self.pid) if program(child) == program(self.pid)]

    def server(self, name: str) -> int | None:
        """The pid of the bundled `postgres` or `valkey-server`."""
        return next((child for child in children(self.pid) if program(child) == name), None)

    def tree(self) -> list[int]:
        """Every process of this instance."""
        return descendants(self.pid)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit status, once it has ended."""
        return self.process.wait(_PATIENCE)

    def kill(self) -> None:
        """`kill -9` of the supervisor, whose parent takes note of it."""
        self.process.kill()
        self.wait()

    def stop(self) -> int:
        """Ask it to end, if it has not, and return the exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        finally:
            self.process.kill()


def copy_data_dir(source: Path, target: Path) -> Path:
    """A data directory with the owners and modes of another that is not in use."""
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = shutil.which("cp")
    assert copy is not None
    subprocess.run([copy, "--archive", "--reflink=auto", str(source), str(target)], check=True)
    return target
