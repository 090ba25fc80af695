"""The bundled Valkey server."""

import hashlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from ibex.embedded.account import Account, server_account
from ibex.embedded.binaries import valkey_binary
from ibex.embedded.errors import EmbeddedError, explaining
from ibex.embedded.files import make_private_directory, read_or_create_passwords, write_private_file
from ibex.embedded.handover import Handover
from ibex.embedded.lock import note_holder, server_lock
from ibex.embedded.log import ServerLog
from ibex.embedded.process import ServerProcess, spawn
from ibex.embedded.socket_directory import SocketDirectory

_SOCKET_NAME = "valkey.sock"
_USER = "default"
_PROBE_SECONDS = 1.0
# `user`: everything but what reaches outside the data or changes how the server is run.
_CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
dir {data}
daemonize no
supervised no
databases 16
user default on #{password_hash} ~* &* +@all -acl -config|set -config|rewrite -debug -failover -migrate \
-module -monitor -psync -replconf -replicaof -save -shutdown -slaveof -sync
enable-debug-command no
enable-module-command no
enable-protected-configs no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
always-show-logo no
hide-user-data-from-log yes
crash-memcheck-enabled no
loglevel notice
"""


class ValkeyServer:
    """Runs Valkey on `<directory>/data`, reachable by a Unix socket and with a password only.

    `directory` is `<data dir>/valkey`; the log is `<data dir>/logs/valkey.log`. What was written is on disk
    within a second. The URL is known once `launch` has returned and stays the same when the server is
    launched again.
    """

    def __init__(self, directory: Path, *, report: Callable[[str], None]) -> None:
        self._directory = directory.absolute()
        self._report = report
        self._log = ServerLog(self._directory.parent / "logs" / "valkey.log")
        self._socket_directory = SocketDirectory(self._directory, socket_name=_SOCKET_NAME)
        self._sockets: Path | None = None
        self._password = ""
        self._process: ServerProcess | None = None

    def launch(self) -> None:
        """Start the server and return at once.

        Raises `EmbeddedError` when the directory, the disk or the installation does not allow it.
        """
        if self._process is not None and self._process.poll() is None:
            raise EmbeddedError("Valkey is already running. Stop it before launching it again.")
        account = server_account()
        binary = valkey_binary(account, report=self._report)
        with explaining(f"start Valkey in {self._directory}"):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with server_lock(self._directory / "lock", server="Valkey", report=self._report) as lock:
                make_private_directory(self._directory / "data", account)
                self._password = read_or_create_passwords(self._directory / "passwords.json", (_USER,))[_USER]
                self._sockets = self._socket_directory.prepare(account)
                self._process = self._start(binary, account, lock)

    def _start(self, binary: Path, account: Account, lock: int) -> ServerProcess:
        configuration = self._directory / "valkey.conf"
        with Handover(account) as handover, self._log.opened() as log:
            text = _CONFIGURATION.format(
                socket=_quoted(f"{handover.path(self._socket_path.parent)}/{_SOCKET_NAME}"),
                data=_quoted(handover.path(self._directory / "data")),
                password_hash=hashlib.sha256(self._password.encode()).hexdigest(),
            )
            write_private_file(configuration, text)
            # Read from standard input: the file itself is for the launching user only.
            with configuration.open("rb") as source:
                popen = spawn(
                    [str(binary), "-"],
                    account=account,
                    death_signal=signal.SIGTERM,
                    inherited=(*handover.descriptors, lock),
                    input_from=source.fileno(),
                    output_to=log,
                )
        note_holder(lock, popen.pid)
        return ServerProcess("Valkey", popen, self._log, shutdown=signal.SIGTERM, abort=signal.SIGKILL)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the data is loaded and commands are answered, at most `timeout` seconds.

        Raises `EmbeddedError` with the end of the server's log when it ends or takes longer.
        """
        if self._process is None:
            raise EmbeddedError("Valkey has not been launched. Call launch() first.")
        self._process.wait_until(self._answers, deadline=time.monotonic() + timeout)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_PROBE_SECONDS)
            try:
                probe.connect(os.fspath(self._socket_path))
                probe.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                with probe.makefile("rb") as replies:
                    return [replies.readline(), replies.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
            except (FileNotFoundError, ConnectionError, TimeoutError):
                return False

    def stop(self, timeout: float = 10.0) -> None:
        """Shut down with everything on disk within `timeout` seconds, else kill. May be repeated.

        Does nothing in a process forked from the one that launched the server.
        """
        if self._process is not None and self._process.launched_here:
            self._process.stop(timeout)
            self._socket_directory.release(server_account())

    def poll(self) -> int | None:
        """Return the exit status of the server launched last; None while it runs or when there was none."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int | None:
        """The process id of the server while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def url(self) -> str:
        """The address as redis-py takes it: `unix://:<password>@<socket>?db=0`."""
        return f"unix://:{quote(self._password, safe='')}@{quote(os.fspath(self._socket_path))}?db=0"

    @property
    def _socket_path(self) -> Path:
        if self._sockets is None:
            raise EmbeddedError("Valkey has no address yet. Call launch() first.")
        return self._sockets / _SOCKET_NAME


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
