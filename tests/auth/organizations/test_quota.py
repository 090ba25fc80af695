"""How many agents, users and tokens an organization may have, however many create them at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import ALL, Quota
from ibex.errors import ErrorCode, IbexError
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.rest.api import Api
from tests.service import Service

MOST = 5
SMALL = Quota(agents=MOST, users=MOST, tokens=MOST)


@pytest_asyncio.fixture
async def bounded(database: Database) -> AsyncIterator[Operator]:
    """Somebody who administers organizations of five agents, users and tokens at most."""
    async with Operator(database.service_dsn, database.redis_url, quota=SMALL, connections=8) as someone:
        yield someone


@pytest_asyncio.fixture
async def org_id(bounded: Operator) -> UUID:
    """An organization with one agent."""
    return await bounded.organization()


@pytest.fixture
def create(bounded: Operator, org_id: UUID) -> dict[str, Callable[[int], Awaitable[object]]]:
    """What creates another one of a kind, by its number."""
    services, actor = bounded.administration, bounded.actor(org_id)
    return {
        "agents": lambda n: services.agents.create(actor, f"Agent {n}"),
        "users": lambda n: services.users.create(actor, f"u{n}@example.org", "", "member"),
        "tokens": lambda n: bounded.issue(org_id, agent=None, name=f"{n}"),
    }


@pytest.mark.parametrize(("kind", "there"), [("agents", 1), ("users", 0), ("tokens", 0)])
async def test_those_who_create_at_once_do_not_go_beyond(
    create: dict[str, Callable[[int], Awaitable[object]]],
    bounded: Operator,
    org_id: UUID,
    kind: str,
    there: int,
) -> None:
    refused = await refusals(create[kind](n) for n in range(4 * MOST))
    assert len(refused) == 4 * MOST - (MOST - there)
    for error in refused:
        assert error.code is ErrorCode.CONFLICT
        assert f"`{kind}_per_organization` allows {MOST}, and this organization has {MOST}." in error.message
    assert len(await getattr(bounded.administration, kind).page(org_id, None, 100)) == MOST


async def test_another_organization_is_counted_by_itself(
    create: dict[str, Callable[[int], Awaitable[object]]], bounded: Operator, org_id: UUID
) -> None:
    await refusals(create["tokens"](n) for n in range(MOST + 1))
    other = await bounded.organization("globex")
    assert await bounded.token(other)


async def test_users_who_were_removed_do_not_count(bounded: Operator, org_id: UUID) -> None:
    users, actor = bounded.administration.users, bounded.actor(org_id)
    created = [await users.create(actor, f"u{n}@example.org", "", "member") for n in range(MOST)]
    await users.suspend(actor, created[0].id)
    assert await refusals([users.create(actor, "late@example.org", "", "member")])
    await users.remove(actor, created[0].id)
    assert await users.create(actor, "late@example.org", "", "member")


async def test_tokens_that_are_over_do_not_count(bounded: Operator, database: Database, org_id: UUID) -> None:
    issued = [await bounded.issue(org_id) for _ in range(MOST)]
    assert await refusals([bounded.issue(org_id)])
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.tokens SET expires_at = now() WHERE id = %s", (issued[0].record.id,))
    assert await bounded.issue(org_id)
    assert await refusals([bounded.issue(org_id)])
    await bounded.revoke(org_id, issued[1].record.id)
    assert await bounded.issue(org_id)


async def test_every_token_can_be_rotated_with_an_overlap_while_there_can_be_no_more(
    bounded: Operator, org_id: UUID
) -> None:
    tokens, actor, day = bounded.administration.tokens, bounded.actor(org_id), timedelta(days=1)
    issued = [await bounded.issue(org_id) for _ in range(MOST)]
    rotated = [await tokens.rotate(actor, one.record.id, day) for one in issued]
    assert await refusals([bounded.issue(org_id)])
    [refused] = await refusals([tokens.rotate(actor, rotated[0].record.id, day)])
    assert refused.code is ErrorCode.CONFLICT
    assert f"`tokens_per_organization` allows {MOST}, and {MOST} do" in refused.message
    # One that was stolen is replaced at once, whatever else goes on.
    assert await tokens.rotate(actor, rotated[0].record.id, timedelta())
    await bounded.revoke(org_id, issued[1].record.id)
    assert await tokens.rotate(actor, rotated[1].record.id, day)


async def test_those_who_rotate_at_once_do_not_go_beyond(bounded: Operator, org_id: UUID) -> None:
    tokens, actor, day = bounded.administration.tokens, bounded.actor(org_id), timedelta(days=1)
    newest = [await bounded.issue(org_id) for _ in range(MOST - 1)]
    newest = [await tokens.rotate(actor, one.record.id, day) for one in newest]
    assert len(await refusals(tokens.rotate(actor, one.record.id, day) for one in newest)) == MOST - 2


async def test_a_bound_that_was_lowered_stops_the_next_one_and_no_rotation(
    operator: Operator, bounded: Operator, org_id: UUID
) -> None:
    issued = [await operator.issue(org_id) for _ in range(2 * MOST)]
    [refused] = await refusals([bounded.issue(org_id)])
    assert f"allows {MOST}, and this organization has {2 * MOST}" in refused.message
    tokens, actor = bounded.administration.tokens, bounded.actor(org_id)
    assert await tokens.rotate(actor, issued[0].record.id, timedelta(days=1))


async def test_what_is_refused_leaves_nothing(bounded: Operator, org_id: UUID) -> None:
    for n in range(MOST - 1):
        await bounded.create_agent(org_id, f"Agent {n}", f"agent-{n}")
    before = await bounded.administration.audit.head(org_id)
    assert await refusals([bounded.create_agent(org_id, "Late", "late")])
    assert await bounded.administration.audit.head(org_id) == before


async def test_the_settings_say_how_many_over_http(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> None:
    most: dict[str, Any] = {f"{kind}_per_organization": 1 for kind in ("agents", "users", "tokens")}
    async with (
        Service.start(database.service_dsn, database.redis_url, operator, stub_provider, **most) as service,
        Api(service, await operator.token(service.org_id, ALL, None)) as admin,
    ):
        await admin.create("/users", {"email": "ada@example.org"})
        for kind, body in (
            ("agents", {"name": "Another"}),
            ("users", {"email": "grace@example.org"}),
            ("tokens", {"name": "another", "permissions": ["chat"]}),
        ):
            answer = await admin.call("POST", f"/{kind}", body)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (409, "CONFLICT", None)
            assert f"`{kind}_per_organization` allows 1, and" in error["message"]


async def refusals(attempts: Iterable[Awaitable[object]]) -> list[IbexError]:
    """What those are told that are refused, of some that are made at once."""
    done = await asyncio.gather(*attempts, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException) and not isinstance(each, IbexError):
            raise each
    return [each for each in done if isinstance(each, IbexError)]
