"""The bundled servers of an installation, seen from the supervisor and from a command beside it."""

import json
import os
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibex.serving.servers import Addresses, Servers
from ibex.settings import Settings, load
from tests.embedded.running import ignore, rows, wait_for


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({}, overrides={"data_dir": tmp_path / "data"})


@pytest.fixture
def started(settings: Settings) -> Iterator[tuple[Servers, Addresses]]:
    servers = Servers(settings, ignore)
    try:
        yield servers, servers.start()
    finally:
        servers.stop()


def kill(settings: Settings, *names: str) -> None:
    """End the bundled servers of these names, which note their pids in their locks."""
    for name in names:
        os.kill(int((settings.data_dir / name / "lock").read_text("utf-8")), signal.SIGKILL)


def test_a_command_beside_it_finds_its_addresses(
    settings: Settings, started: tuple[Servers, Addresses]
) -> None:
    assert Servers(settings, ignore).reachable() == started[1]
    mode = (settings.data_dir / "runtime.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert "postgresql" not in repr(started[1])


def test_what_is_configured_wins_over_what_runs(
    settings: Settings, started: tuple[Servers, Addresses]
) -> None:
    configured = load({"IBEX_REDIS_URL": "redis://elsewhere"}, overrides={"data_dir": settings.data_dir})
    found = Servers(configured, ignore).reachable()
    assert found is not None
    assert (found.postgres_dsn, found.redis_url) == (started[1].postgres_dsn, "redis://elsewhere")


def test_addresses_that_are_all_configured_need_nothing_to_run(tmp_path: Path) -> None:
    configured = load(
        {"IBEX_POSTGRES_DSN": "postgresql://one", "IBEX_REDIS_URL": "redis://two"},
        overrides={"data_dir": tmp_path / "data"},
    )
    servers = Servers(configured, ignore)
    assert (
        servers.reachable()
        == servers.start()
        == Addresses("postgresql://one", "postgresql://one", "redis://two")
    )
    servers.stop()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "kept", ["", "{}", "[]", json.dumps({"postgres_dsn": "x y", "migration_dsn": "", "redis_url": ""})]
)
def test_a_damaged_note_of_what_runs_counts_as_none(settings: Settings, kept: str) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "runtime.json").write_text(kept, "utf-8")
    assert Servers(settings, ignore).reachable() is None


def test_both_that_have_died_are_launched_again_at_the_same_addresses(
    settings: Settings, started: tuple[Servers, Addresses]
) -> None:
    servers, addresses = started
    assert servers.restart_dead() == []
    kill(settings, "postgres", "valkey")
    told: list[str] = []

    def have_told_of_both() -> bool:
        told.extend(servers.restart_dead())
        return len(told) == 2

    wait_for(have_told_of_both)
    assert sorted(told) == [
        "PostgreSQL has died and is launched again",
        "Valkey has died and is launched again",
    ]
    wait_for(lambda: Servers(settings, ignore).reachable() == addresses)
    assert rows(addresses.postgres_dsn, "SELECT 1") == [(1,)]


def test_one_that_cannot_be_launched_does_not_keep_the_other_down(
    settings: Settings, started: tuple[Servers, Addresses]
) -> None:
    servers, _ = started
    version = settings.data_dir / "postgres" / "cluster" / "PG_VERSION"
    version.write_text("9.6\n", "utf-8")
    kill(settings, "postgres", "valkey")
    told: list[str] = []

    def have_told_of_both() -> bool:
        told.extend(servers.restart_dead())
        return {sentence.split()[0] for sentence in told} == {"PostgreSQL", "Valkey"}

    wait_for(have_told_of_both)
    assert "Valkey has died and is launched again" in told
    assert any(
        re.match("PostgreSQL has died and cannot be launched: .* PostgreSQL 9.6", said) for said in told
    )
    version.write_text("18\n", "utf-8")
