"""All checks, in the order in which one would look."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ibex.doctor import address, bundled, directory, machine
from ibex.doctor.configuration import configuration
from ibex.doctor.finding import Finding, ok, problem
from ibex.doctor.postgres import postgres
from ibex.doctor.providers import providers
from ibex.doctor.redis import redis
from ibex.doctor.secrets import credentials, pepper
from ibex.serving.servers import Addresses, Servers
from ibex.settings import Settings


def examine(file: Path | None, overrides: Mapping[str, Any], *, offline: bool) -> Iterator[Finding]:
    """One finding after the other, as they are made; a failed check does not end the examination.

    Parameters
    ----------
    file, overrides: the settings that the command line names.
    offline: whether to leave providers alone.
    """
    yield machine.python()
    yield machine.system()
    yield machine.user()
    yield machine.open_files()
    finding, settings = configuration(file, overrides)
    yield finding
    if settings is not None:
        yield from _installation(settings, offline=offline)


def _installation(settings: Settings, *, offline: bool) -> Iterator[Finding]:
    pid = directory.holder(settings.data_dir)
    yield directory.access(settings.data_dir)
    yield directory.space(settings.data_dir)
    yield directory.in_use(pid)
    yield address.port(settings, is_running=pid is not None or not settings.is_embedded)
    yield bundled.postgres(settings)
    yield bundled.valkey(settings)
    addresses = _addresses(settings)
    if addresses is None:
        yield _not_examined(pid)
    else:
        yield from postgres(settings, addresses)
        yield from redis(addresses.redis_url)
    yield pepper(settings, addresses)
    yield credentials(settings, addresses)
    yield from providers(settings, offline=offline)
    yield machine.tracing(settings)


def _addresses(settings: Settings) -> Addresses | None:
    return Servers(settings, lambda sentence: None).reachable()


def _not_examined(pid: str | None) -> Finding:
    if pid is None:
        return ok("database", "Not examined, because IBEX does not run; `ibex serve` starts its servers.")
    return problem(
        "database",
        f"IBEX runs (pid {pid}), but its Postgres does not answer.",
        "If it is not just starting, look at logs/postgres.log in the data directory.",
    )
