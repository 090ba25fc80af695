"""Content of calls is kept for organizations that want it, and for nobody else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import pytest_asyncio
import redis
from psycopg import sql

from ibex.archive.content import SpokenTurn, line_of
from ibex.ids import uuid7
from ibex.proxy.transcript import new_messages
from tests.context.stage import Stage, assistant, user
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider

_AT = datetime(2026, 11, 24, tzinfo=UTC)
_QUESTION = "What tea does a canary-of-content drink?"


@pytest_asyncio.fixture
async def stage(
    database: Database, operator: Operator, stub_provider: StubProvider, tmp_path: Path
) -> AsyncIterator[Stage]:
    async with Stage.set_up(database, operator, stub_provider, data_dir=tmp_path) as running:
        yield running


async def _content(stage: Stage, session: str) -> list[Any]:
    answer = await stage.admin.call("GET", f"/sessions/{session}/content", params={"agent_id": "helper"})
    return [orjson.loads(line) for line in answer.content.splitlines()] if answer.is_success else []


async def test_a_conversation_is_kept_as_it_was_said(stage: Stage) -> None:
    changed = await stage.admin.change("/organizations/me", {"store_content": True, "content_days": 7})
    assert (changed["store_content"], changed["content_days"]) == (True, 7)
    await stage.directive("A directive that nobody has said.")
    await stage.remembered("A canary drinks green tea.")
    first = await stage.ask(user(_QUESTION), session_id="tuesday")
    said = first.json()["choices"][0]["message"]
    await stage.ask(user(_QUESTION), assistant("Tea."), user("Sure?"), session_id="tuesday", stream=True)

    async def both() -> bool:
        return len(await _content(stage, "tuesday")) == 2

    await until(both)
    one, two = await _content(stage, "tuesday")

    assert one["turn_id"] == first.headers["x-request-id"]
    assert (one["session_id"], one["user_id"], one["dialect"]) == ("tuesday", "ada", "openai")
    assert (one["messages"], one["answer"], one["is_cut"]) == ([user(_QUESTION)], said, False)
    assert two["messages"] == [user("Sure?")]
    assert two["answer"]["content"]
    assert "nobody has said" not in str([one, two])

    await stage.admin.delete("/sessions/tuesday/content?agent_id=helper")

    refused = await stage.admin.refusal("GET", "/sessions/tuesday/content?agent_id=helper")
    assert refused == (403, "ACCESS_DENIED")


async def test_nothing_is_kept_for_who_has_not_asked_for_it(
    database: Database, operator: Operator, stub_provider: StubProvider, tmp_path: Path
) -> None:
    async with Stage.set_up(database, operator, stub_provider, data_dir=tmp_path) as stage:
        await stage.ask(user(_QUESTION), session_id="tuesday", headers={"X-IBEX-Skip-Extraction": "true"})

    # The stop has written all that there was to write.
    assert _tables_with(database, "canary-of-content") == []
    assert _tables_with(database, "tuesday") != []
    with redis.Redis.from_url(database.redis_url) as client:
        assert not any(b"canary-of-content" in (client.dump(key) or b"") for key in client.scan_iter())
    assert _files_with(tmp_path, b"canary-of-content") == []


def _tables_with(database: Database, text: str) -> list[str]:
    with psycopg.connect(database.superuser_dsn) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'ibex'::regnamespace AND relkind = 'r'"
        ).fetchall()
        query = "SELECT count(*) FROM {} AS t WHERE t::text LIKE %s"
        counts = {
            table: connection.execute(
                sql.SQL(query).format(sql.Identifier("ibex", table)), (f"%{text}%",)
            ).fetchone()
            for (table,) in tables
        }
    return [table for table, count in counts.items() if count != (0,)]


def _files_with(folder: Path, content: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and content in path.read_bytes()]


@pytest.mark.parametrize(
    ("messages", "new"),
    [
        ([user("a")], [user("a")]),
        ([user("a"), assistant("b"), user("c")], [user("c")]),
        ([user("a"), assistant("b"), user("c"), assistant("{")], [user("c"), assistant("{")]),
        ([assistant("b")], [assistant("b")]),
        ("no messages", []),
    ],
)
def test_what_a_turn_adds_is_what_follows_the_last_answer(messages: Any, new: Any) -> None:
    assert list(new_messages({"messages": messages})) == new


@pytest.mark.parametrize("text", ["x" * 5_000, ["x"] * 5_000, {str(n): n for n in range(5_000)}])
def test_a_long_turn_is_cut_and_says_so(text: Any) -> None:
    def line(limit: int) -> bytes:
        ids = {"org_id": uuid7(), "agent_id": uuid7(), "turn_id": uuid7()}
        return line_of(
            SpokenTurn(
                **ids,
                session_id="tuesday",
                at=_AT,
                user_id=None,
                dialect="openai",
                model="gpt-4o-mini",
                outcome="ok",
                messages=[{"role": "user", "content": text}],
                read_answer=lambda: {"role": "assistant", "content": "Yes."},
                size=5_000,
            ),
            limit,
        )

    assert len(line(1_024)) <= 1_024
    assert orjson.loads(line(1_024))["is_cut"]
    assert not orjson.loads(line(1 << 20))["is_cut"]
