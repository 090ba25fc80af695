"""A real server of S3 on this machine: rclone, in front of a folder."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_KEY, _SECRET = "ibex", "a-secret-of-tests"
BUCKET = "archive"


@dataclass(slots=True)
class Bucket:
    """`url` as it is configured, with a prefix; `folder` is where the server keeps its objects."""

    url: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """It accepts connections and says nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    folder = tmp_path_factory.mktemp("s3")
    (folder / BUCKET).mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rclone = Path(sys.executable).with_name("rclone")
    process = subprocess.Popen(
        [rclone, "serve", "s3", folder, "--addr", f"127.0.0.1:{port}", "--auth-key", f"{_KEY},{_SECRET}"],
        env={**os.environ, "RCLONE_CONFIG": "/dev/null"},
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port, process)
        yield Bucket(f"http://{_KEY}:{_SECRET}@127.0.0.1:{port}/{BUCKET}/ibex", folder, process)
    finally:
        process.kill()
        process.wait()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert process.poll() is None, "rclone has ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError("rclone does not listen")
