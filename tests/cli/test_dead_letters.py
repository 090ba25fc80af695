"""`ibex dead-letters`."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from ibex.cli import main
from ibex.workers.dead_letters import DeadLetterBox
from ibex.workers.queue import ON_DEMAND
from tests.fixtures import Database
from tests.operator import MASTER_KEY, Operator
from tests.workers.letters import given_up

Ibex = Callable[..., Result]


@pytest.fixture
def ibex(database: Database, tmp_path: Path) -> Ibex:
    """The command line on an organization `default` with three dead letters; of the last, the payload cannot
    be read."""

    async def fill() -> None:
        async with Operator(database.service_dsn, database.redis_url) as operator:
            org_id = await operator.organization("default")
            box = DeadLetterBox(operator.postgres)
            for fields in ({}, {"name": "test.other"}, {"payload": None, "keys": ()}):
                assert await box.add(given_up(org_id, **fields))

    asyncio.run(fill())
    environment = {
        "IBEX_POSTGRES_DSN": database.service_dsn,
        "IBEX_REDIS_URL": database.redis_url,
        "IBEX_TOKEN_PEPPER": "0123456789abcdef" * 4,
        "IBEX_MASTER_KEY": MASTER_KEY,
        "IBEX_DATA_DIR": str(tmp_path),
    }

    def run(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(main, ["dead-letters", *arguments], env=environment, **options)

    return run


def said(ibex: Ibex, *arguments: str) -> str:
    done = ibex(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def listed(ibex: Ibex, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(said(ibex, "list", "--json", *arguments))
    return found


def test_dead_letters_are_seen_replayed_and_discarded(ibex: Ibex, database: Database) -> None:
    first, other, unreadable = listed(ibex)
    assert "RuntimeError" in said(ibex, "list")
    assert [each["id"] for each in listed(ibex, "--name", "test.other")] == [other["id"]]
    shown = said(ibex, "show", first["id"])
    assert "org_id, text" in shown
    assert "canary" not in shown
    assert json.loads(said(ibex, "show", first["id"], "--json")) == first

    assert said(ibex, "replay", first["id"]) == "Replayed 1.\n"
    again = ibex("replay", first["id"])
    assert again.exit_code == 1
    assert "There is no such dead letter" in again.stderr
    assert "Discard it" in ibex("replay", unreadable["id"]).stderr
    assert said(ibex, "replay", "--all") == "Replayed 1.\n"
    with Redis.from_url(database.redis_url) as redis:
        assert redis.zcard(ON_DEMAND) == 2

    assert ibex("discard", "--all", input="n\n").exit_code == 1
    assert [each["id"] for each in listed(ibex)] == [unreadable["id"]]
    assert said(ibex, "discard", "--all", "--yes") == "Discarded 1.\n"
    assert listed(ibex) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("discard", "--all", "01a20747-378d-70c7-a843-85766e82a988", "--yes"),
        ("replay", "x"),
        ("replay", "01a20747-378d-70c7-a843-85766e82a988", "--name", "test.done"),
    ],
)
def test_what_is_not_said_clearly_is_not_done(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, ["dead-letters", *arguments]).exit_code == 2
