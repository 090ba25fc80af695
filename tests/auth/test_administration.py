"""What an administrator changes, and the audit it leaves."""

from uuid import UUID

import pytest
import pytest_asyncio

from ibex.auth import CHAT, Administration, NotAnnouncedError, administration, invalidation, tokens
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from ibex.settings import Settings
from ibex.storage import connect_single
from tests.fixtures import Database
from tests.operator import PEPPER, Operator


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


async def audit_of(operator: Operator, org_id: UUID) -> list[tuple[str, str, str]]:
    async with operator.postgres.transaction(org_id) as connection:
        found = await connection.execute("SELECT actor, action, target FROM ibex.audit_events ORDER BY id")
        return await found.fetchall()


async def test_every_change_is_audited_with_who_did_it(operator: Operator, org_id: UUID) -> None:
    token = tokens.parse(await operator.token(org_id))
    assert token is not None
    await operator.administration.pause_agent(org_id, "helper")
    await operator.administration.resume_agent(org_id, "helper")
    await operator.administration.revoke_token(org_id, token.id)
    assert await audit_of(operator, org_id) == [
        ("test", "organization.create", "acme"),
        ("test", "agent.create", "helper"),
        ("test", "token.create", str(token.id)),
        ("test", "agent.pause", "helper"),
        ("test", "agent.resume", "helper"),
        ("test", "token.revoke", str(token.id)),
    ]


async def test_neither_token_nor_hash_is_in_the_audit(operator: Operator, org_id: UUID) -> None:
    text = await operator.token(org_id)
    async with operator.postgres.transaction(org_id) as connection:
        found = await connection.execute("SELECT audit_events::text FROM ibex.audit_events")
        rows = str(await found.fetchall())
        stored = await (await connection.execute("SELECT tokens::text FROM ibex.tokens")).fetchall()
    secret = text.rpartition("_")[2]
    assert secret not in rows
    assert secret not in str(stored)


@pytest.mark.parametrize(
    "slug", ["", "-a", "A", "a b", "ä", "a" * 64, "a\n", str(UUID(int=7)), UUID(int=7).hex]
)
async def test_a_malformed_slug_is_refused(operator: Operator, org_id: UUID, slug: str) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.administration.create_agent(org_id, "Agent", slug)
    assert (caught.value.code, caught.value.param) == (ErrorCode.VALIDATION_ERROR, "slug")


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x00b"])
async def test_a_malformed_name_is_refused(operator: Operator, org_id: UUID, name: str) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.administration.create_agent(org_id, name, "agent")
    assert caught.value.param == "name"
    with pytest.raises(IbexError):
        await operator.administration.create_token(org_id, name, CHAT)


async def test_any_other_name_is_kept_as_it_is(operator: Operator, org_id: UUID) -> None:
    for number, name in enumerate(("Zoë 🤖", "x" * 200, "'; DROP TABLE ibex.agents; --", "%s")):
        agent = await operator.administration.create_agent(org_id, name, f"agent-{number}")
        assert agent.name == name


async def test_a_slug_that_is_taken_is_refused(operator: Operator, org_id: UUID) -> None:
    with pytest.raises(IbexError, match="already"):
        await operator.administration.create_agent(org_id, "Helper", "helper")
    with pytest.raises(IbexError, match="already"):
        await operator.administration.create_organization("acme", "Acme")


async def test_tokens_and_agents_of_another_organization_do_not_exist(
    operator: Operator, org_id: UUID
) -> None:
    other = await operator.organization("globex")
    token = tokens.parse(await operator.token(org_id))
    assert token is not None
    await operator.administration.create_agent(org_id, "Secret", "secret")
    for foreign in (token.id, uuid7()):
        with pytest.raises(IbexError, match="no token"):
            await operator.administration.revoke_token(other, foreign)
    with pytest.raises(IbexError, match="no agent"):
        await operator.administration.pause_agent(other, "secret")
    with pytest.raises(IbexError, match="no agent"):
        await operator.administration.create_token(other, "stolen", CHAT, agent="secret")
    assert [agent.slug for agent in await operator.administration.list_agents(other)] == ["helper"]
    assert await operator.administration.list_tokens(other) == []


async def test_revoking_twice_keeps_the_first_time(operator: Operator, org_id: UUID) -> None:
    token = tokens.parse(await operator.token(org_id))
    assert token is not None
    await operator.administration.revoke_token(org_id, token.id)
    first = (await operator.administration.list_tokens(org_id))[0].revoked_at
    await operator.administration.revoke_token(org_id, token.id)
    assert (await operator.administration.list_tokens(org_id))[0].revoked_at == first


async def test_a_change_that_cannot_be_announced_holds_and_says_so(
    operator: Operator, org_id: UUID, database: Database
) -> None:
    token = tokens.parse(await operator.token(org_id))
    assert token is not None
    nowhere = connect_single("redis://127.0.0.1:1", timeout=0.1)
    cut_off = Administration(operator.postgres, nowhere, PEPPER, actor="test")
    sentence = (
        r"Done, but running processes could not be told \(ConnectionError\): they may go on for up to 30 s\."
    )
    with pytest.raises(NotAnnouncedError, match=sentence):
        await cut_off.revoke_token(org_id, token.id)
    with pytest.raises(NotAnnouncedError, match=sentence):
        await cut_off.pause_agent(org_id, "helper")
    await nowhere.aclose()
    assert (await operator.administration.list_tokens(org_id))[0].revoked_at is not None
    assert (await operator.administration.find_agent(org_id, "helper")).status == "paused"


async def test_an_announcement_counts_those_who_heard_it(operator: Operator, database: Database) -> None:
    """None is no error: nothing may be running."""
    change = invalidation.Change("token", uuid7())
    assert await invalidation.publish(operator.redis, change) == 0
    async with operator.redis.pubsub() as subscription:
        await subscription.subscribe(invalidation.CHANNEL)
        await subscription.get_message(timeout=2.0)
        assert await invalidation.publish(operator.redis, change) == 1


def test_the_time_that_is_told_is_the_longest_that_can_be_set() -> None:
    Settings(token_cache_seconds=administration._LONGEST_CACHE_SECONDS)
    with pytest.raises(ValueError, match="token_cache_seconds"):
        Settings(token_cache_seconds=administration._LONGEST_CACHE_SECONDS + 1)
