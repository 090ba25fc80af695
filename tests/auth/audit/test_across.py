"""What somebody does to another organization is in its audit and in that of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from uuid import UUID

import pytest_asyncio

from ibex.auth import Actor, Administration, Allowance
from ibex.auth.audit import Selection
from ibex.auth.organizations.repository import Choices
from tests.fixtures import Database
from tests.operator import Operator

TIMES = 25


@pytest_asyncio.fixture
async def crowd(database: Database) -> AsyncIterator[Administration]:
    """Administers over as many connections as changes are made at once."""
    async with Operator(database.service_dsn, database.redis_url, connections=16) as many:
        yield many.administration


@pytest_asyncio.fixture
async def pair(operator: Operator) -> tuple[UUID, UUID]:
    return await operator.organization("left"), await operator.organization("right")


async def test_those_who_change_each_others_organization_at_once_all_succeed(
    crowd: Administration, operator: Operator, pair: tuple[UUID, UUID]
) -> None:
    left, right = pair
    assert (
        await failures(
            crowd.organizations.update(operator.actor(home), other, Choices(name=f"{n}"))
            for n in range(TIMES)
            for home, other in ((left, right), (right, left))
        )
        == []
    )
    for org_id, other in ((left, right), (right, left)):
        told = await targets(crowd, org_id, "organization.update")
        assert sorted(told) == sorted([str(org_id), str(other)] * TIMES)
        assert (await crowd.audit.verify(org_id)).damage is None


async def test_so_do_those_who_set_each_others_limits(
    crowd: Administration, operator: Operator, pair: tuple[UUID, UUID]
) -> None:
    left, right = pair
    assert (
        await failures(
            crowd.limits.put(operator.actor(home).within(other), "organization", str(other), Allowance(n + 1))
            for n in range(TIMES)
            for home, other in ((left, right), (right, left))
        )
        == []
    )
    assert (
        await failures(
            crowd.limits.remove_of(operator.actor(home).within(other), "organization", str(other))
            for home, other in ((left, right), (right, left))
        )
        == []
    )
    for org_id, other in ((left, right), (right, left)):
        for action, times in (("limit.set", TIMES), ("limit.remove", 1)):
            told = await targets(crowd, org_id, action)
            assert sorted(told) == sorted([f"organization:{org_id}", str(other)] * times)


async def test_a_change_from_nowhere_is_told_where_it_was_made(
    operator: Operator, pair: tuple[UUID, UUID]
) -> None:
    left, _ = pair
    changed = operator.administration.organizations
    await changed.update(Actor.outside("cli"), left, Choices(name="Renamed"))
    assert await targets(operator.administration, left, "organization.update") == [str(left)]


async def failures(changes: Iterable[Awaitable[object]]) -> list[BaseException]:
    """What goes wrong with changes that are made at once."""
    done = await asyncio.gather(*changes, return_exceptions=True)
    return [each for each in done if isinstance(each, BaseException)]


async def targets(administration: Administration, org_id: UUID, action: str) -> list[str]:
    found = await administration.audit.page(org_id, None, 1_000, Selection(action=action))
    return [str(event.target) for event in found]
