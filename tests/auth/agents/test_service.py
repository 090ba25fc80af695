"""What is done to agents."""

from uuid import UUID

import pytest
import pytest_asyncio

from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from tests.operator import Operator


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


@pytest.mark.parametrize(
    "slug", ["", "-a", "A", "a b", "ä", "a" * 64, "a\n", str(UUID(int=7)), UUID(int=7).hex]
)
async def test_a_malformed_slug_is_refused(operator: Operator, org_id: UUID, slug: str) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.create_agent(org_id, "Agent", slug)
    assert (caught.value.code, caught.value.param) == (ErrorCode.VALIDATION_ERROR, "slug")


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x00b", "a\nb", "a\x7fb", "\ud800"])
async def test_a_malformed_name_is_refused(operator: Operator, org_id: UUID, name: str) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.create_agent(org_id, name, "agent")
    assert (caught.value.code, caught.value.param) == (ErrorCode.VALIDATION_ERROR, "name")


async def test_any_other_name_is_kept_as_it_is(operator: Operator, org_id: UUID) -> None:
    for number, name in enumerate(("Zoë 🤖", "x" * 200, "'; DROP TABLE ibex.agents; --", "%s")):
        agent = await operator.create_agent(org_id, name, f"agent-{number}")
        assert agent.name == name


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Night shift", "night-shift"), ("Zoë & Söhne", "zoe-sohne"), ("--x--", "x"), ("ab " * 40, "ab-" * 21)],
)
async def test_a_slug_is_made_from_the_name(operator: Operator, org_id: UUID, name: str, slug: str) -> None:
    agent = await operator.administration.agents.create(operator.actor(org_id), name)
    assert agent.slug == slug.rstrip("-")


@pytest.mark.parametrize("description", ["x" * 2_001, "a\x00b", "\ud800"])
async def test_a_malformed_description_is_refused(operator: Operator, org_id: UUID, description: str) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.administration.agents.create(operator.actor(org_id), "Agent", "agent", description)
    assert (caught.value.code, caught.value.param) == (ErrorCode.VALIDATION_ERROR, "description")


async def test_a_slug_that_is_taken_is_refused(operator: Operator, org_id: UUID) -> None:
    with pytest.raises(IbexError, match="already") as caught:
        await operator.create_agent(org_id, "Helper", "helper")
    assert (caught.value.code, caught.value.param) == (ErrorCode.CONFLICT, "slug")


async def test_two_organizations_may_use_one_slug(operator: Operator, org_id: UUID) -> None:
    other = await operator.organization("globex")
    assert (await operator.agent(org_id)).id != (await operator.agent(other)).id


async def test_pages_follow_the_order_of_creation(operator: Operator, org_id: UUID) -> None:
    for number in range(4):
        await operator.create_agent(org_id, f"Agent {number}", f"agent-{number}")
    agents = operator.administration.agents
    first = await agents.page(org_id, None, 2)
    second = await agents.page(org_id, first[-1].id, 10)
    assert [a.slug for a in (*first, *second)] == ["helper", "agent-0", "agent-1", "agent-2", "agent-3"]


async def test_those_of_another_organization_do_not_exist(operator: Operator, org_id: UUID) -> None:
    other = await operator.organization("globex")
    secret = await operator.create_agent(org_id, "Secret", "secret")
    agents, actor = operator.administration.agents, operator.actor(other)
    refusals = []
    for agent_id in (secret.id, uuid7()):
        for attempt in (agents.get(other, agent_id), agents.pause(actor, agent_id)):
            with pytest.raises(IbexError) as caught:
                await attempt
            refusals.append((caught.value.code, caught.value.message, caught.value.detail))
    assert refusals == [refusals[0]] * 4
    assert refusals[0][0] is ErrorCode.ACCESS_DENIED
    with pytest.raises(IbexError, match="no agent"):
        await operator.pause(other, "secret")
    assert [agent.slug for agent in await agents.page(other, None, 10)] == ["helper"]
    assert (await operator.agent(org_id, "secret")).status == "active"
