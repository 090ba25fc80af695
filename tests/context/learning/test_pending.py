"""What was said a moment ago, until it is stored."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from ibex.context.learning import Lesson, PendingTurns, Said
from ibex.context.learning.pending import LONGEST, MOST
from ibex.memory import Scope
from tests.context.learning.school import School

_numbers = itertools.count(1)


def lesson(scope: Scope, text: str, *, at: datetime | None = None, is_quarantined: bool = False) -> Lesson:
    turn_id = UUID(int=next(_numbers))
    return Lesson(
        scope=scope,
        turn_id=turn_id,
        trace_id=turn_id.hex,
        at=at or datetime.now(UTC),
        said=(Said("user", text, is_quarantined),),
        question="",
        used=(),
        is_correction=False,
    )


async def texts(pending: PendingTurns, scope: Scope) -> list[str]:
    return [said.text for turn in await pending.of(scope) for said in turn.said]


async def test_turns_are_told_in_their_order_and_in_any_process(school: School) -> None:
    for text in ("one", "two", "three"):
        await school.pending.add(lesson(school.scope(), text))
    elsewhere = PendingTurns(school.redis, within=5.0)
    assert await texts(elsewhere, school.scope(session_id="another")) == ["one", "two", "three"]


async def test_only_the_newest_are_kept(school: School) -> None:
    for number in range(MOST + 5):
        await school.pending.add(lesson(school.scope(), f"number {number}"))
    assert await texts(school.pending, school.scope()) == [f"number {n}" for n in range(5, MOST + 5)]


async def test_a_long_text_is_told_from_its_beginning(school: School) -> None:
    await school.pending.add(lesson(school.scope(), "a" * LONGEST + "b"))
    assert await texts(school.pending, school.scope()) == ["a" * LONGEST]


async def test_what_is_quarantined_is_not_kept(school: School) -> None:
    await school.pending.add(lesson(school.scope(), "canary", is_quarantined=True))
    assert await school.redis.keys("*pending*") == []


async def test_nobody_else_is_told(school: School) -> None:
    await school.pending.add(lesson(school.scope(), "of ada"))
    await school.pending.add(lesson(school.scope(user_id=None), "of nobody"))
    agent = await school.operator.create_agent(school.org_id, "Other", "other")
    other = await school.operator.organization("globex")

    assert await texts(school.pending, school.scope(user_id="bob")) == []
    assert await texts(school.pending, school.scope(user_id=None)) == ["of nobody"]
    assert await texts(school.pending, school.scope(user_id=None, session_id="second")) == []
    assert await texts(school.pending, Scope(school.org_id, agent.id, "ada", "first")) == []
    assert await texts(school.pending, Scope(other, school.agent_id, "ada", "first")) == []
    # A user who is named as a session is somebody else.
    assert await texts(school.pending, school.scope(user_id="first")) == []


async def test_it_is_gone_once_it_is_stored(school: School) -> None:
    kept, stored = lesson(school.scope(), "kept"), lesson(school.scope(), "stored")
    await school.pending.add(stored)
    await school.pending.add(kept)
    await school.pending.remove(stored)
    await school.pending.remove(stored)
    assert await texts(school.pending, school.scope()) == ["kept"]


async def test_what_is_never_stored_expires(school: School) -> None:
    await school.pending.add(lesson(school.scope(), "old", at=datetime.now(UTC) - timedelta(minutes=16)))
    await school.pending.add(lesson(school.scope(), "new"))
    assert await texts(school.pending, school.scope()) == ["new"]
    [key] = await school.redis.keys("*pending*")
    assert 0 < await school.redis.ttl(key) <= 900


async def test_what_another_version_wrote_is_left_out(school: School) -> None:
    await school.pending.add(lesson(school.scope(), "known"))
    [key] = await school.redis.keys("*pending*")
    written: Any = school.redis.hset(key, "another", '{"turn": 7}')
    await written
    assert await texts(school.pending, school.scope()) == ["known"]


async def test_without_redis_it_is_nothing(school: School, caplog: pytest.LogCaptureFixture) -> None:
    away = Redis.from_url("unix:///nonexistent/valkey.sock")
    pending = PendingTurns(away, within=0.05)
    await pending.add(lesson(school.scope(), "canary"))
    assert await pending.of(school.scope()) == []
    assert "before it is stored" in caplog.text
    assert "canary" not in caplog.text
    await away.aclose()


async def test_a_turn_on_its_way_is_waited_for(school: School) -> None:
    patient = PendingTurns(school.redis, within=5.0, patience=5.0)
    patient.expect(school.scope())

    asking = asyncio.create_task(texts(patient, school.scope()))
    await patient.add(lesson(school.scope(), "one"))
    patient.arrived(school.scope())
    assert await asking == ["one"]


async def test_one_that_does_not_come_is_not_waited_for_long(school: School) -> None:
    school.pending.expect(school.scope())
    assert await texts(school.pending, school.scope()) == []
