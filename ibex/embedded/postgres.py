"""The bundled PostgreSQL server."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from ibex.embedded.account import Account, server_account
from ibex.embedded.binaries import postgres_home
from ibex.embedded.buffers import shared_buffers
from ibex.embedded.cluster import SUPERUSER, check_cluster, create_cluster, drop_misleading_pid_file
from ibex.embedded.errors import EmbeddedError, explaining
from ibex.embedded.files import read_or_create_passwords, write_private_file
from ibex.embedded.handover import Handover
from ibex.embedded.lock import note_holder, server_lock
from ibex.embedded.log import ServerLog
from ibex.embedded.process import ServerProcess, spawn
from ibex.embedded.provisioning import DATABASE, OWNER, SERVICE, RolePasswords, provision
from ibex.embedded.socket_directory import SocketDirectory

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "maintenance_work_mem": "128MB",
    "huge_pages": "try",
    "random_page_cost": "1.1",
    "jit": "off",
    # Parallel workers share memory in /dev/shm, of which a container has 64 MB.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    # Nothing replicates from a bundled server.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "1GB",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Errors quote values ('invalid input syntax for type uuid: "..."'): the client gets them, no log does.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}
_SOCKET_NAME = ".s.PGSQL.5432"
# Change this when `provision` changes, to have it run again in clusters that exist.
_PROVISIONING = "1"


class PostgresServer:
    """Runs PostgreSQL on `<directory>/cluster`, reachable by a Unix socket and with a password only.

    `directory` is `<data dir>/postgres`; the log is `<data dir>/logs/postgres.log`. `report` is given
    sentences about what takes long. The DSNs are known once `launch` has returned and stay the same when the
    server is launched again.
    """

    def __init__(self, directory: Path, *, report: Callable[[str], None]) -> None:
        self._directory = directory.absolute()
        self._report = report
        self._cluster = self._directory / "cluster"
        self._marker = self._directory / "provisioned"
        self._log = ServerLog(self._directory.parent / "logs" / "postgres.log")
        self._socket_directory = SocketDirectory(self._directory, socket_name=_SOCKET_NAME)
        self._sockets: Path | None = None
        self._passwords: dict[str, str] = {}
        self._process: ServerProcess | None = None

    def launch(self) -> None:
        """Start the server and return at once; the first time, and only then, create its cluster before.

        Raises `EmbeddedError` when the directory, the disk or the installation does not allow it.
        """
        if self._process is not None and self._process.poll() is None:
            raise EmbeddedError("PostgreSQL is already running. Stop it before launching it again.")
        account = server_account()
        home = postgres_home(account, report=self._report)
        with explaining(f"start PostgreSQL in {self._directory}"):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with server_lock(self._directory / "lock", server="PostgreSQL", report=self._report) as lock:
                self._prepare(home, account, lock)
                self._process = self._start(home, account, lock)

    def _prepare(self, home: Path, account: Account, lock: int) -> None:
        password_file = self._directory / "passwords.json"
        if self._cluster.exists():
            check_cluster(self._cluster, account)
            if not password_file.exists():
                raise EmbeddedError(
                    f"{password_file} is missing. Restore it from a backup, "
                    f"or move {self._directory} away to start with empty data."
                )
        self._passwords = read_or_create_passwords(password_file, (SUPERUSER, OWNER, SERVICE))
        if self._cluster.exists():
            drop_misleading_pid_file(self._cluster)
        else:
            self._marker.unlink(missing_ok=True)
            create_cluster(
                self._cluster,
                home=home,
                account=account,
                password=self._passwords[SUPERUSER],
                lock=lock,
                report=self._report,
            )
        self._sockets = self._socket_directory.prepare(account)

    def _start(self, home: Path, account: Account, lock: int) -> ServerProcess:
        with Handover(account) as handover, self._log.opened() as log:
            sockets = handover.path(self._socket_path.parent).replace('"', '""')
            settings = _SETTINGS | {
                "unix_socket_directories": f'"{sockets}"',
                "shared_buffers": f"{shared_buffers(self._cluster) >> 10}kB",
            }
            command = [str(home / "bin" / "postgres"), "-D", handover.path(self._cluster)]
            for name, value in settings.items():
                command += ["-c", f"{name}={value}"]
            popen = spawn(
                command,
                account=account,
                death_signal=signal.SIGINT,
                inherited=(*handover.descriptors, lock),
                output_to=log,
            )
        note_holder(lock, popen.pid)
        return ServerProcess("PostgreSQL", popen, self._log, shutdown=signal.SIGINT, abort=signal.SIGQUIT)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait at most `timeout` seconds until connections are accepted, then see to roles and database.

        Raises `EmbeddedError` with the end of the server's log when it ends or takes longer.
        """
        if self._process is None:
            raise EmbeddedError("PostgreSQL has not been launched. Call launch() first.")
        self._process.wait_until(self._accepts_connections, deadline=time.monotonic() + timeout)
        if not self._marker.exists() or self._marker.read_text(encoding="utf-8") != _PROVISIONING:
            self._provision()

    def _accepts_connections(self) -> bool:
        """Whether postmaster.pid says so, as `pg_ctl start` finds out: eight lines, from pid to status."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) == 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _provision(self) -> None:
        import psycopg

        passwords = RolePasswords(owner=self._passwords[OWNER], service=self._passwords[SERVICE])
        try:
            provision(self._dsn(SUPERUSER, "postgres"), self.superuser_dsn, passwords)
        except psycopg.Error as error:
            raise EmbeddedError(
                f"PostgreSQL runs, but its roles and database could not be set up: {error}. "
                f"Put that right and start again. {self._log.tail()}"
            ) from error
        with explaining(f"write {self._marker}"):
            write_private_file(self._marker, _PROVISIONING)

    def stop(self, timeout: float = 10.0) -> None:
        """Shut down and end open sessions: in order within `timeout` seconds, else at once. May be repeated.

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
    def owner_dsn(self) -> str:
        """For migrations: the role that owns the database `ibex`; no superuser."""
        return self._dsn(OWNER, DATABASE)

    @property
    def service_dsn(self) -> str:
        """For serving: the role that owns nothing and is subject to row-level security."""
        return self._dsn(SERVICE, DATABASE)

    @property
    def superuser_dsn(self) -> str:
        """For diagnostics."""
        return self._dsn(SUPERUSER, DATABASE)

    @property
    def _socket_path(self) -> Path:
        if self._sockets is None:
            raise EmbeddedError("PostgreSQL has no address yet. Call launch() first.")
        return self._sockets / _SOCKET_NAME

    def _dsn(self, role: str, database: str) -> str:
        folder = quote(str(self._socket_path.parent), safe="")
        return f"postgresql://{role}:{quote(self._passwords[role], safe='')}@/{database}?host={folder}"
