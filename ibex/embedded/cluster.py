"""The PostgreSQL cluster on disk: made once with initdb, checked at every start."""

import os
import pwd
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ibex.embedded.account import Account
from ibex.embedded.binaries import POSTGRES_MAJOR
from ibex.embedded.errors import EmbeddedError
from ibex.embedded.files import create_private_file, make_private_directory
from ibex.embedded.handover import Handover
from ibex.embedded.process import spawn

SUPERUSER = "postgres"
_DRAFT = "cluster.new"


def create_cluster(
    cluster: Path,
    *,
    home: Path,
    account: Account,
    password: str,
    lock: int,
    report: Callable[[str], None],
) -> None:
    """Run initdb beside `cluster` and move the result there, on disk and complete.

    Raises `EmbeddedError` with what initdb said when it fails.
    """
    _demand_name(account)
    report("Creating the PostgreSQL cluster; this happens once and takes a few seconds.")
    draft = cluster.with_name(_DRAFT)
    shutil.rmtree(draft, ignore_errors=True)
    make_private_directory(draft, account)
    create_private_file(draft / "password", password, account)
    with Handover(account) as handover:
        folder = handover.path(draft)
        status, said = _run(
            [
                str(home / "bin" / "initdb"),
                f"--pgdata={folder}/cluster",
                f"--pwfile={folder}/password",
                f"--username={SUPERUSER}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # The provider decides about case and order of letters; no locale of the system is needed.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--data-checksums",
                # One sync of the file system took 0.15 s less than one for each of the 1000 files.
                f"--sync-method={'syncfs' if sys.platform == 'linux' else 'fsync'}",
            ],
            account,
            (*handover.descriptors, lock),
        )
    if status != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise EmbeddedError(
            f"PostgreSQL could not create its cluster in {cluster}. "
            f"Put right what it says here and start again:\n{said.strip()[-2000:]}"
        )
    (draft / "cluster").rename(cluster)
    shutil.rmtree(draft)


def _demand_name(account: Account) -> None:
    try:
        pwd.getpwuid(account.uid)
    except KeyError as error:
        raise EmbeddedError(
            f"PostgreSQL does not start for user id {account.uid}, because the system knows no name for it. "
            "Add the user to /etc/passwd (in a container image: useradd), or run ibex as another user."
        ) from error


def _run(command: list[str], account: Account, inherited: tuple[int, ...]) -> tuple[int, str]:
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8", errors="replace") as output:
        try:
            process = spawn(
                command, account=account, death_signal=signal.SIGKILL, inherited=inherited, output_to=writer
            )
        finally:
            os.close(writer)
        try:
            said = output.read()
            return process.wait(), said
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def check_cluster(cluster: Path, account: Account) -> None:
    """Raise `EmbeddedError` when this PostgreSQL cannot use what is in `cluster`."""
    try:
        version = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise EmbeddedError(
            f"{cluster} holds no PostgreSQL cluster, or a damaged one. Restore it from a backup, "
            f"or move {cluster.parent} away to start with empty data."
        ) from error
    if version != str(POSTGRES_MAJOR):
        raise EmbeddedError(
            f"{cluster} was written by PostgreSQL {version}; this ibex brings PostgreSQL {POSTGRES_MAJOR}. "
            f"Run the ibex that wrote it, or move the data over with pg_dump and pg_restore of {version}."
        )
    owner = cluster.stat().st_uid
    if owner != account.uid:
        raise EmbeddedError(
            f"{cluster} belongs to user {owner}, but PostgreSQL would run as {account.name} ({account.uid}). "
            f"Run ibex as it was run before, or give the files away: chown -R {account.name} {cluster}"
        )


def drop_misleading_pid_file(cluster: Path) -> None:
    """Remove a postmaster.pid whose pid now belongs to a process that does not work in `cluster`.

    PostgreSQL takes any live process of its user for the old server, and pids come round again: in a
    restarted container almost at once. Whether the pid is dead it finds out by itself.
    """
    pid_file = cluster / "postmaster.pid"
    try:
        pid = pid_file.read_text(encoding="utf-8").partition("\n")[0].strip()
        works_here = Path(f"/proc/{pid}/cwd").samefile(cluster)
    except (FileNotFoundError, PermissionError):
        return
    if not works_here:
        pid_file.unlink()
