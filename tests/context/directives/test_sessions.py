"""A session keeps its version: in each process, in all of them, and without Redis as well as that goes."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ibex.storage import organization_key
from tests.context.directives.desk import Desk
from tests.context.directives.process import Process, process, process_without_redis
from tests.fixtures import Database
from tests.operator import Operator

SESSIONS = [f"chat-{number}" for number in range(40)]
_DAY = 86_400


@pytest_asyncio.fixture
async def serving(database: Database) -> AsyncIterator[Process]:
    async with process(database) as running:
        yield running


@pytest_asyncio.fixture
async def another(database: Database) -> AsyncIterator[Process]:
    async with process(database) as running:
        yield running


async def keys(serving: Process) -> list[bytes]:
    return [key async for key in serving.redis.scan_iter(match="*:directive:*")]


async def test_processes_agree_while_a_version_is_rolled_out(
    serving: Process, another: Process, desk: Desk
) -> None:
    await desk.active("one")
    await desk.rolled_out("two", 0.5)
    here = await serving.numbers(desk.principal, SESSIONS)
    assert set(here.values()) == {1, 2}
    assert await another.numbers(desk.principal, SESSIONS) == here


async def test_sessions_keep_their_version_as_the_rollout_goes_on_and_is_finished(
    serving: Process, another: Process, desk: Desk
) -> None:
    await desk.active("one")
    candidate = await desk.rolled_out("two", 0.3)
    before = await serving.numbers(desk.principal, SESSIONS)
    for share in (0.6, 0.9, 1.0):
        await desk.directives.promote(desk.actor, candidate.id, share)
        for each in (serving, another):
            each.hear(desk.principal)
            assert await each.numbers(desk.principal, SESSIONS) == before
    begun = await serving.numbers(desk.principal, [f"later-{number}" for number in range(40)])
    assert set(begun.values()) == {2}


async def test_a_session_that_runs_keeps_its_version_although_another_was_promoted(
    serving: Process, another: Process, desk: Desk
) -> None:
    """Nothing was written to Redis while there was no choice: the process itself remembers."""
    await desk.active("one")
    assert await serving.number(desk.principal) == 1
    assert await keys(serving) == []
    await desk.active("two")
    serving.hear(desk.principal)
    assert await serving.number(desk.principal) == 1
    assert await another.number(desk.principal) == 1
    assert await serving.number(desk.principal, "later") == 2


async def test_a_promotion_at_once_reaches_sessions_that_run(serving: Process, desk: Desk) -> None:
    await desk.active("one")
    assert await serving.number(desk.principal) == 1
    await desk.active("two", at_once=True)
    serving.hear(desk.principal)
    assert await serving.number(desk.principal) == 2


async def test_a_rollback_reaches_sessions_that_run(serving: Process, desk: Desk) -> None:
    await desk.active("one")
    await desk.active("two")
    assert await serving.number(desk.principal) == 2
    await desk.directives.roll_back(desk.actor, desk.agent_id)
    serving.hear(desk.principal)
    assert await serving.number(desk.principal) == 1


@pytest.mark.parametrize("is_withdrawn_by", ["revoke", "abort"])
async def test_a_version_that_is_withdrawn_is_left_at_once(
    serving: Process, another: Process, desk: Desk, is_withdrawn_by: str
) -> None:
    await desk.active("one")
    candidate = await desk.rolled_out("two", 0.5)
    assert set((await serving.numbers(desk.principal, SESSIONS)).values()) == {1, 2}
    await getattr(desk.directives, is_withdrawn_by)(desk.actor, candidate.id)
    for each in (serving, another):
        each.hear(desk.principal)
        assert set((await each.numbers(desk.principal, SESSIONS)).values()) == {1}


async def test_a_version_that_sessions_only_keep_is_left_when_it_is_revoked(
    serving: Process, another: Process, desk: Desk
) -> None:
    first = await desk.active("one")
    assert await serving.number(desk.principal) == 1
    await desk.active("two")
    serving.hear(desk.principal)
    assert await serving.number(desk.principal) == 1
    await desk.directives.revoke(desk.actor, first.id)
    for each in (serving, another):
        each.hear(desk.principal)
        assert await each.number(desk.principal) == 2


async def test_a_rollout_that_begins_anew_has_no_sessions_from_before(
    serving: Process, another: Process, desk: Desk
) -> None:
    await desk.active("one")
    candidate = await desk.rolled_out("two", 0.9)
    had = await serving.numbers(desk.principal, SESSIONS)
    assert list(had.values()).count(2) > 20
    await desk.directives.abort(desk.actor, candidate.id)
    await desk.directives.promote(desk.actor, candidate.id, 0.0)
    for each in (serving, another):
        each.hear(desk.principal)
        assert set((await each.numbers(desk.principal, SESSIONS)).values()) == {1}


async def test_after_a_day_all_sessions_have_the_active_version(
    database: Database, serving: Process, desk: Desk, operator: Operator
) -> None:
    await desk.active("one")
    assert await serving.number(desk.principal) == 1
    await desk.active("two")
    async with operator.postgres.transaction(desk.actor.org_id) as connection:
        await connection.execute("UPDATE ibex.directives SET kept_until = now() WHERE number = 1")
    serving.hear(desk.principal)
    assert await serving.number(desk.principal) == 2
    assert await keys(serving) == [], "Redis is asked only while there is a choice"


async def test_of_many_earlier_versions_the_newest_are_kept(serving: Process, desk: Desk) -> None:
    await desk.active("0")
    assert await serving.number(desk.principal, "oldest") == 1
    await desk.active("1")
    serving.hear(desk.principal)
    assert await serving.number(desk.principal, "newer") == 2
    for number in range(9):
        await desk.active(str(number))
    serving.hear(desk.principal)
    assert await serving.number(desk.principal, "newer") == 2
    assert await serving.number(desk.principal, "oldest") == 11


async def test_a_session_is_asked_about_twice_and_then_once_an_hour(serving: Process, desk: Desk) -> None:
    await desk.active("one")
    await desk.rolled_out("two", 0.5)
    number = await serving.number(desk.principal)
    (key,) = await keys(serving)
    assert key.startswith(organization_key(desk.actor.org_id, "directive").encode())
    assert 3_500 < await serving.redis.ttl(key) <= 3_600, "most sessions may have no second call"
    assert await serving.number(desk.principal) == number
    assert 3_600 < await serving.redis.ttl(key) <= _DAY
    await serving.redis.delete(key)
    assert await serving.number(desk.principal) == number
    assert await keys(serving) == []
    serving.clock.now += 3_601.0
    assert await serving.number(desk.principal) == number
    assert await keys(serving) == [key]


async def test_what_was_said_first_of_a_session_counts(
    serving: Process, another: Process, desk: Desk
) -> None:
    """One process has seen it before, the other has not, and was asked first."""
    await desk.active("one")
    assert await serving.number(desk.principal) == 1
    await desk.active("two")
    for each in (another, serving):
        each.hear(desk.principal)
        assert await each.number(desk.principal) == 2


async def test_without_redis_the_draw_decides_and_is_the_same_everywhere(
    database: Database, serving: Process, desk: Desk
) -> None:
    await desk.active("one")
    candidate = await desk.rolled_out("two", 0.5)
    async with process_without_redis(database) as one, process_without_redis(database) as other:
        here = await one.numbers(desk.principal, SESSIONS)
        assert set(here.values()) == {1, 2}
        assert await other.numbers(desk.principal, SESSIONS) == here
        assert await serving.numbers(desk.principal, SESSIONS) == here
        await desk.directives.promote(desk.actor, candidate.id)
        one.hear(desk.principal)
        assert await one.numbers(desk.principal, SESSIONS) == here


async def test_redis_that_is_away_is_not_asked_for_a_second(database: Database, desk: Desk) -> None:
    await desk.active("one")
    await desk.rolled_out("two", 0.5)
    async with process_without_redis(database) as alone:
        await alone.number(desk.principal)
        alone.resolver._sessions._redis = None  # type: ignore[assignment]
        for session in SESSIONS:
            assert await alone.number(desk.principal, session) in {1, 2}


async def test_what_somebody_else_has_put_there_does_no_harm(serving: Process, desk: Desk) -> None:
    await desk.active("one")
    await desk.rolled_out("two", 0.5)
    number = await serving.number(desk.principal)
    (key,) = await keys(serving)
    for value in (b"", b"\xff\xfe", b"x" * 1_000, b"00000000000000000000000000000001.5"):
        await serving.redis.set(key, value)
        serving.clock.now += 3_601.0
        assert await serving.number(desk.principal) == number
    await serving.redis.delete(key)
    await serving.redis.hset(key.decode(), "not", "a text")  # type: ignore[misc]
    serving.clock.now += 3_601.0
    assert await serving.number(desk.principal) == number


async def test_two_organizations_have_sessions_of_the_same_name(
    serving: Process, operator: Operator, desk: Desk
) -> None:
    stranger = await Desk.of(operator, await operator.organization("globex"))
    for each in (desk, stranger):
        await each.active("one")
        await each.rolled_out("two", 0.5)
    ours = await serving.numbers(desk.principal, SESSIONS)
    theirs = await serving.numbers(stranger.principal, SESSIONS)
    assert ours != theirs
    assert await serving.numbers(desk.principal, SESSIONS) == ours
    assert len(await keys(serving)) == 2 * len(SESSIONS)


async def test_a_process_remembers_only_so_many_sessions(database: Database, desk: Desk) -> None:
    async with process(database, remembers_sessions=5) as serving:
        await desk.active("one")
        await serving.numbers(desk.principal, SESSIONS)
        assert len(serving.resolver._sessions._known) == 5
        await desk.active("two")
        serving.hear(desk.principal)
        assert await serving.number(desk.principal, SESSIONS[-1]) == 1
        assert await serving.number(desk.principal, SESSIONS[0]) == 2
