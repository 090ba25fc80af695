"""All checks, in the order in which one would look."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ibex.doctor import address, bundled, directory, machine
from ibex.doctor.configuration import aliases, configuration
from ibex.doctor.finding import Finding, warning
from ibex.doctor.memory import retrieval
from ibex.doctor.postgres import postgres
from ibex.doctor.providers import providers
from ibex.doctor.redis import redis
from ibex.doctor.secrets import credentials, master_keys, pepper
from ibex.doctor.workers import workers
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
    addresses = _addresses(settings, is_running=pid is not None)
    if addresses.postgres_dsn:
        yield from postgres(settings, addresses)
    else:
        yield _not_examined("Postgres", pid)
    if addresses.redis_url:
        yield from redis(settings, addresses.redis_url)
        yield workers(settings, addresses.redis_url)
    else:
        yield _not_examined("Redis", pid)
    yield pepper(settings, addresses.postgres_dsn)
    yield master_keys(settings, addresses.postgres_dsn)
    yield credentials(settings, addresses.postgres_dsn)
    yield aliases(settings)
    yield from providers(settings, offline=offline)
    yield retrieval(settings)
    yield machine.tracing(settings)


def _addresses(settings: Settings, *, is_running: bool) -> Addresses:
    """Those that something should answer at; empty where nothing runs that could be examined."""
    servers = Servers(settings, lambda sentence: None)
    return servers.noted() if is_running else servers.configured()


def _not_examined(check: str, pid: str | None) -> Finding:
    if pid is None:
        return warning(
            check,
            "Not examined: the bundled one runs while IBEX does.",
            "Examine it again after `ibex serve`.",
        )
    return warning(
        check,
        f"Not examined: IBEX (pid {pid}) does not say where its bundled one is.",
        "It may be just starting: try again in a moment.",
    )
