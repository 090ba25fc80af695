"""Which version a call gets, in each process, and what that costs."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from ibex.auth import Change
from ibex.context.directives import DirectiveUnavailableError
from ibex.errors import ErrorCode, IbexError
from tests.auth.feeds import NOWHERE_POSTGRES, feeding, until_heard
from tests.context.directives.desk import Desk
from tests.context.directives.process import Process, process
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator


@pytest_asyncio.fixture
async def serving(database: Database) -> AsyncIterator[Process]:
    async with process(database) as running:
        yield running


async def test_an_agent_has_its_active_version_or_none(serving: Process, desk: Desk) -> None:
    assert await serving.number(desk.principal) is None
    await desk.written()
    await desk.active()
    serving.hear(desk.principal)
    found = await serving.resolver.resolve(desk.principal, "chat-1")
    assert found is not None
    assert (found.number, found.content, found.mode) == (2, "Be brief.", "system_first")


async def test_a_warm_call_asks_neither_server(serving: Process, desk: Desk) -> None:
    await desk.active()
    assert await serving.number(desk.principal) == 1
    asked = serving.postgres.statements
    await serving.redis.aclose()
    await serving.postgres.close()
    for number in range(50):
        assert await serving.number(desk.principal, f"chat-{number}") == 1
    assert serving.postgres.statements == asked == 1


async def test_that_an_agent_has_none_is_remembered_too(serving: Process, desk: Desk) -> None:
    for _ in range(5):
        assert await serving.number(desk.principal) is None
    assert serving.postgres.statements == 1


async def test_calls_that_come_together_ask_once(serving: Process, desk: Desk) -> None:
    await desk.active()
    found = await asyncio.gather(*(serving.number(desk.principal, f"chat-{n}") for n in range(50)))
    assert set(found) == {1}
    assert serving.postgres.statements == 1


async def test_what_is_remembered_is_read_again_after_half_a_minute(serving: Process, desk: Desk) -> None:
    await desk.active("one")
    assert await serving.number(desk.principal) == 1
    await desk.active("two", at_once=True)
    serving.clock.now += 29.9
    assert await serving.number(desk.principal) == 1
    serving.clock.now += 0.2
    assert await serving.number(desk.principal) == 2


async def test_while_no_change_can_be_heard_of_it_is_hardly_trusted(serving: Process, desk: Desk) -> None:
    await desk.active("one")
    assert await serving.number(desk.principal) == 1
    await desk.active("two", at_once=True)
    serving.hears = False
    serving.clock.now += 0.6
    assert await serving.number(desk.principal) == 2


async def test_a_change_of_another_agent_costs_nothing(serving: Process, desk: Desk) -> None:
    await desk.active()
    assert await serving.number(desk.principal) == 1
    for change in (Change("directive", uuid4()), Change("agent", desk.agent_id)):
        serving.resolver.forget(change)
    assert await serving.number(desk.principal) == 1
    assert serving.postgres.statements == 1


async def test_two_agents_and_two_organizations_have_their_own(
    serving: Process, operator: Operator, desk: Desk
) -> None:
    await operator.create_agent(desk.actor.org_id, "Other", "other")
    others = [
        await Desk.of(operator, desk.actor.org_id, "other"),
        await Desk.of(operator, await operator.organization("globex")),
    ]
    await desk.active("of the first")
    for other in others:
        assert await serving.resolver.resolve(other.principal, "chat-1") is None
    await others[1].active("of the third")
    serving.hear(others[1].principal)
    found = await serving.resolver.resolve(others[1].principal, "chat-1")
    assert found is not None
    assert found.content == "of the third"


async def test_while_postgres_is_away_the_last_known_directive_goes_on(serving: Process, desk: Desk) -> None:
    await desk.active()
    assert await serving.number(desk.principal) == 1
    await serving.postgres.close()
    serving.hears = False
    serving.clock.now += 3_600.0
    for _ in range(5):
        assert await serving.number(desk.principal) == 1
    assert serving.postgres.statements == 2, "it is asked once in a second"
    serving.clock.now += 1.1
    assert await serving.number(desk.principal) == 1
    assert serving.postgres.statements == 3


@pytest.mark.parametrize("is_complete", [True, False])
async def test_what_may_have_been_revoked_does_not_go_on(
    serving: Process, desk: Desk, is_complete: bool
) -> None:
    await desk.active()
    assert await serving.number(desk.principal) == 1
    await serving.postgres.close()
    serving.resolver.forget(Change("directive", desk.agent_id) if is_complete else None)
    with pytest.raises(DirectiveUnavailableError):
        await serving.number(desk.principal)


async def test_what_was_never_known_is_an_error_with_a_type(database: Database, desk: Desk) -> None:
    await desk.active()
    async with process(database, postgres_dsn=NOWHERE_POSTGRES) as serving:
        with pytest.raises(DirectiveUnavailableError) as error:
            await serving.number(desk.principal)
        assert error.value.code == ErrorCode.SERVICE_DEGRADED
        with pytest.raises(DirectiveUnavailableError):
            await serving.resolver.named(desk.principal, "1")


async def test_the_agents_that_are_remembered_are_not_too_many(
    database: Database, operator: Operator, desk: Desk
) -> None:
    async with process(database, capacity=3) as serving:
        desks = [desk]
        for number in range(5):
            await operator.create_agent(desk.actor.org_id, "Other", f"other-{number}")
            desks.append(await Desk.of(operator, desk.actor.org_id, f"other-{number}"))
        for each in desks:
            await each.active()
            assert await serving.number(each.principal) == 1
        asked = serving.postgres.statements
        assert await serving.number(desks[-1].principal) == 1
        assert serving.postgres.statements == asked
        assert len(serving.resolver._last_known) == 3
        assert await serving.number(desks[0].principal) == 1
        assert serving.postgres.statements == asked + 1


async def test_a_revocation_reaches_a_running_session_of_every_process(
    database: Database, desk: Desk
) -> None:
    """Over the real feed, in two processes, one of which hears no messages and reads the log."""
    await desk.active("one")
    second = await desk.active("two", at_once=True)
    async with (
        process(database) as one,
        process(database) as other,
        feeding(database, one.resolver.forget) as quick,
        feeding(database, other.resolver.forget, redis_url="redis://127.0.0.1:1") as slow,
    ):
        await until_heard(quick)
        await until_heard(slow)
        for each in (one, other):
            assert await each.number(desk.principal) == 2
        await desk.directives.revoke(desk.actor, second.id)

        async def has_left(serving: Process) -> bool:
            return await serving.number(desk.principal) == 1

        for each in (one, other):
            await until(lambda each=each: has_left(each), seconds=5.0)  # type: ignore[misc]


async def test_a_version_is_named_by_number_or_id(serving: Process, desk: Desk) -> None:
    active = await desk.active("one")
    draft = await desk.written("two", submit=False)
    for reference, number in (("1", 1), (str(active.id), 1), ("2", 2), (str(draft.id).upper(), 2)):
        for _ in range(3):
            assert (await serving.resolver.named(desk.principal, reference)).number == number
    assert serving.postgres.statements == 4


@pytest.mark.parametrize("reference", ["", "two", "-1", "1.0", "1e3", "\u0661", "9" * 10, "1 OR 1=1", "{}"])
async def test_what_is_no_reference_is_refused(serving: Process, desk: Desk, reference: str) -> None:
    with pytest.raises(IbexError) as refusal:
        await serving.resolver.named(desk.principal, reference)
    assert refusal.value.code == ErrorCode.VALIDATION_ERROR
    assert refusal.value.param == "X-IBEX-Directive-Override"
    assert serving.postgres.statements == 0


async def test_a_version_that_is_absent_anothers_or_revoked_cannot_be_named(
    serving: Process, operator: Operator, desk: Desk
) -> None:
    await operator.create_agent(desk.actor.org_id, "Other", "other")
    sibling = await Desk.of(operator, desk.actor.org_id, "other")
    stranger = await Desk.of(operator, await operator.organization("globex"))
    foreign = [await sibling.active(), await stranger.active()]
    for reference in ("0", "7", "999999999", str(uuid4()), *(str(each.id) for each in foreign)):
        with pytest.raises(IbexError) as refusal:
            await serving.resolver.named(desk.principal, reference)
        assert refusal.value.code == ErrorCode.ACCESS_DENIED
    written = await desk.written()
    assert (await serving.resolver.named(desk.principal, "1")).id == written.id
    await desk.directives.revoke(desk.actor, written.id)
    serving.hear(desk.principal)
    with pytest.raises(IbexError, match="revoked") as refusal:
        await serving.resolver.named(desk.principal, "1")
    assert refusal.value.code == ErrorCode.CONFLICT
