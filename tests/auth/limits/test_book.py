"""Which limits a caller is under, and what a process remembers of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from ibex.auth import AgentPrincipal, Allowance, Change, LimitBook, LimitDefaults, LimitScope, LimitSet
from ibex.auth.limits import book
from ibex.auth.permissions import NO_PERMISSION
from ibex.auth.principal import Principal
from ibex.ids import uuid7
from ibex.storage import DatabaseUnavailableError
from tests.auth.validators import Clock, CountingPostgres
from tests.fixtures import Database
from tests.operator import Operator

DEFAULTS = LimitDefaults(
    token=Allowance(60), agent=Allowance(120, 10_000), organization=Allowance(600, None, 50)
)


class Process:
    """A book on a pool of its own, with a clock that a test holds."""

    def __init__(self, dsn: str, defaults: LimitDefaults = DEFAULTS) -> None:
        self.postgres = CountingPostgres(dsn, connections=1)
        self.clock = Clock()
        self.book = LimitBook(self.postgres, defaults, timeout=10.0, clock=self.clock)

    async def of_call(self, caller: AgentPrincipal, end_user: str | None = None) -> dict[str, int]:
        return most(await self.book.of_call(caller, end_user))


@pytest_asyncio.fixture
async def process(database: Database) -> AsyncIterator[Process]:
    running = Process(database.service_dsn)
    await running.postgres.open()
    yield running
    await running.postgres.close()


@pytest_asyncio.fixture
async def caller(operator: Operator) -> AgentPrincipal:
    org_id = await operator.organization()
    issued = await operator.issue(org_id)
    agent = await operator.agent(org_id)
    return AgentPrincipal(org_id, issued.record.id, NO_PERMISSION, agent_id=agent.id, agent_slug="helper")


def most(under: LimitSet) -> dict[str, int]:
    return {f"{limit.scope} {limit.dimension}": limit.most for limit in under.limits}


async def override(
    operator: Operator, org_id: UUID, scope: LimitScope, subject: object, *limits: int | None
) -> None:
    await operator.administration.limits.put(operator.actor(org_id), scope, str(subject), Allowance(*limits))


async def test_a_caller_is_under_the_defaults(process: Process, caller: AgentPrincipal) -> None:
    under = await process.book.of_call(caller, "zoe")
    assert [(limit.scope, limit.dimension, limit.subject, limit.most) for limit in under.limits] == [
        ("token", "requests", str(caller.token_id), 60),
        ("agent", "requests", str(caller.agent_id), 120),
        ("agent", "tokens", str(caller.agent_id), 10_000),
        ("organization", "requests", str(caller.org_id), 600),
        ("organization", "concurrent", str(caller.org_id), 50),
    ]


async def test_what_calls_no_model_counts_as_a_request_only(process: Process, caller: AgentPrincipal) -> None:
    assert most(await process.book.of_request(caller)) == {
        "token requests": 60,
        "agent requests": 120,
        "organization requests": 600,
    }
    manager = Principal(caller.org_id, caller.token_id, NO_PERMISSION)
    assert most(await process.book.of_request(manager)) == {
        "token requests": 60,
        "organization requests": 600,
    }


async def test_each_limit_falls_back_by_itself(
    process: Process, operator: Operator, caller: AgentPrincipal
) -> None:
    """The agent's own, then that of every agent, then the default."""
    await override(operator, caller.org_id, "agent", "*", 30, None, 3)
    await override(operator, caller.org_id, "agent", caller.agent_id, None, 500)
    assert await process.of_call(caller) == {
        "token requests": 60,
        "agent requests": 30,
        "agent tokens": 500,
        "agent concurrent": 3,
        "organization requests": 600,
        "organization concurrent": 50,
    }


async def test_nothing_may_be_allowed(process: Process, operator: Operator, caller: AgentPrincipal) -> None:
    await override(operator, caller.org_id, "token", caller.token_id, 0)
    assert (await process.of_call(caller))["token requests"] == 0


async def test_end_users_are_told_apart_without_showing_their_names(
    process: Process, operator: Operator, caller: AgentPrincipal
) -> None:
    await override(operator, caller.org_id, "end_user", "*", 5)
    await override(operator, caller.org_id, "end_user", "zoe@example.com", 50)
    assert (await process.of_call(caller, "zoe@example.com"))["end_user requests"] == 50
    assert (await process.of_call(caller, "max"))["end_user requests"] == 5
    assert "end_user requests" not in await process.of_call(caller, None)
    names = [
        limit.name
        for user in ("zoe@example.com", "x" * 256, "Zoë 🤖", "a:b{c}")
        for limit in (await process.book.of_call(caller, user)).limits
        if limit.scope == "end_user"
    ]
    assert len(set(names)) == 4
    assert {len(name) for name in names} == {len("rpm:end_user:") + 32}
    assert not any("zoe" in name for name in names)


async def test_an_end_user_of_one_organization_is_not_that_of_another(
    process: Process, operator: Operator, caller: AgentPrincipal
) -> None:
    other_id = await operator.organization("other")
    other = AgentPrincipal(other_id, uuid7(), NO_PERMISSION, agent_id=uuid7(), agent_slug="helper")
    for org_id in (caller.org_id, other_id):
        await override(operator, org_id, "end_user", "*", 5)
    subjects = {
        limit.subject
        for principal in (caller, other)
        for limit in (await process.book.of_call(principal, "zoe")).limits
        if limit.scope == "end_user"
    }
    assert len(subjects) == 2


async def test_what_is_remembered_needs_no_database(process: Process, caller: AgentPrincipal) -> None:
    first = await process.book.of_call(caller, None)
    for _ in range(5):
        assert await process.book.of_call(caller, None) is first
    assert process.postgres.statements == 1


async def test_requests_that_miss_together_share_one_look_up(
    process: Process, caller: AgentPrincipal
) -> None:
    await asyncio.gather(*(process.of_call(caller) for _ in range(50)))
    assert process.postgres.statements == 1


@pytest.mark.parametrize("kind", ["limits", "organization", None])
async def test_a_change_is_seen_at_once(
    process: Process, operator: Operator, caller: AgentPrincipal, kind: Any
) -> None:
    await process.of_call(caller)
    await override(operator, caller.org_id, "agent", "*", 7)
    process.book.forget(Change(kind, caller.org_id) if kind else None)
    assert (await process.of_call(caller))["agent requests"] == 7


async def test_a_change_of_something_else_costs_nothing(process: Process, caller: AgentPrincipal) -> None:
    await process.of_call(caller)
    process.book.forget(Change("limits", uuid7()))
    process.book.forget(Change("token", caller.org_id))
    await process.of_call(caller)
    assert process.postgres.statements == 1


async def test_an_answer_that_a_change_has_overtaken_is_not_used(
    process: Process, operator: Operator, caller: AgentPrincipal
) -> None:
    async def change() -> None:
        process.postgres.after = None
        await override(operator, caller.org_id, "agent", "*", 7)
        process.book.forget(Change("limits", caller.org_id))

    process.postgres.after = change
    assert (await process.of_call(caller))["agent requests"] == 7
    assert (await process.of_call(caller))["agent requests"] == 7
    assert process.postgres.statements == 2


async def test_after_half_a_minute_it_is_read_anew_and_nobody_waits(
    process: Process, operator: Operator, caller: AgentPrincipal
) -> None:
    await process.of_call(caller)
    await override(operator, caller.org_id, "agent", "*", 7)
    process.clock.now += 29.9
    assert (await process.of_call(caller))["agent requests"] == 120
    assert process.postgres.statements == 1
    process.clock.now += 0.1
    assert (await process.of_call(caller))["agent requests"] == 120
    await asyncio.gather(*(reading.result() for reading in process.book._readings.values()))
    assert (await process.of_call(caller))["agent requests"] == 7


async def test_without_a_database_the_defaults_hold(database: Database, caller: AgentPrincipal) -> None:
    process = Process("postgresql://127.0.0.1:1/nowhere?connect_timeout=1")
    process.book._timeout = 0.05
    await process.postgres.open()
    assert (await process.of_call(caller))["agent requests"] == 120
    await process.postgres.close()


async def test_without_a_database_what_was_known_holds_on(
    process: Process, operator: Operator, caller: AgentPrincipal
) -> None:
    await override(operator, caller.org_id, "agent", "*", 7)
    await process.of_call(caller)
    await process.postgres.close()
    process.book.forget(None)
    assert (await process.of_call(caller))["agent requests"] == 7
    process.clock.now += 100
    assert (await process.of_call(caller))["agent requests"] == 7
    for reading in tuple(process.book._readings.values()):
        with pytest.raises(DatabaseUnavailableError):
            await reading.result()
    assert (await process.of_call(caller))["agent requests"] == 7


async def test_what_is_remembered_is_bounded(
    process: Process, operator: Operator, caller: AgentPrincipal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_MOST_REMEMBERED", 20)
    monkeypatch.setattr(book, "_MOST_ORGANIZATIONS", 5)
    await override(operator, caller.org_id, "end_user", "*", 5)
    for number in range(100):
        await process.of_call(caller, f"user {number}")
    assert len(process.book._sets) == 20
    for _ in range(20):
        stranger = AgentPrincipal(uuid7(), uuid7(), NO_PERMISSION, agent_id=uuid7(), agent_slug="a")
        await process.of_call(stranger)
    assert len(process.book._pages) == 5
    assert process.book._overrides == 0


async def test_organizations_with_many_overrides_make_room_for_each_other(
    process: Process, operator: Operator, caller: AgentPrincipal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "_MOST_OVERRIDES", 5)
    other_id = await operator.organization("other")
    other = AgentPrincipal(other_id, uuid7(), NO_PERMISSION, agent_id=uuid7(), agent_slug="helper")
    for number in range(3):
        for org_id in (caller.org_id, other_id):
            await override(operator, org_id, "end_user", f"user {number}", number)
    for principal in (caller, other, caller):
        assert (await process.of_call(principal, "user 2"))["end_user requests"] == 2
    assert process.book._overrides == 3
    assert list(process.book._pages) == [caller.org_id]
