"""Who a token lets in, as whom, and the code of each refusal."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import CHAT, Change, token_id
from ibex.auth.tokens import secret
from ibex.auth.tokens.secret import Token
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from tests.auth.validators import Checked, checking
from tests.fixtures import Database
from tests.operator import PEPPER, Operator


@pytest_asyncio.fixture
async def checked(database: Database) -> AsyncIterator[Checked]:
    async with checking(database) as running:
        yield running


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


async def test_a_valid_token_names_its_principal(checked: Checked, operator: Operator, org_id: UUID) -> None:
    text = await operator.token(org_id)
    principal = await checked.validator.authenticate_agent(text, None, None)
    assert principal.org_id == org_id
    assert principal.token_id == token_id(text)
    assert principal.agent_id == (await operator.agent(org_id, "helper")).id
    assert principal.agent_slug == "helper"
    assert principal.permissions == CHAT


async def test_a_mistyped_token_is_invalid_and_costs_no_query(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    for bad in (wrong, text.upper(), text[:-1], "", "sk-something", "ibex_pat_", "\x00", "é" * 200):
        assert await checked.code(bad) == ErrorCode.INVALID_TOKEN
    assert checked.statements == 0


async def test_an_unknown_token_is_invalid(checked: Checked) -> None:
    assert await checked.code(secret.generate(uuid7()).text(PEPPER)) == ErrorCode.INVALID_TOKEN


async def test_another_secret_under_a_known_id_is_invalid(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    known = secret.parse(await operator.token(org_id), PEPPER)
    assert known is not None
    assert await checked.code(secret.generate(known.id).text(PEPPER)) == ErrorCode.INVALID_TOKEN
    assert await checked.code(known.text(PEPPER)) == "helper"


async def test_a_known_secret_under_another_id_is_invalid(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    one = secret.parse(await operator.token(org_id), PEPPER)
    other = secret.parse(await operator.token(org_id), PEPPER)
    assert one is not None
    assert other is not None
    assert await checked.code(Token(one.id, other.secret).text(PEPPER)) == ErrorCode.INVALID_TOKEN


async def test_a_token_of_another_installation_is_invalid(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    async with checking(database, pepper=b"the pepper of another installation") as elsewhere:
        assert await elsewhere.code(text) == ErrorCode.INVALID_TOKEN
        assert elsewhere.statements == 0


async def test_an_expired_token_is_refused(
    checked: Checked, operator: Operator, org_id: UUID, database: Database
) -> None:
    text = await operator.token(org_id)
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.tokens SET expires_at = now() - interval '1 second'")
    assert await checked.code(text) == ErrorCode.TOKEN_EXPIRED


async def test_a_revoked_token_is_refused(checked: Checked, operator: Operator, org_id: UUID) -> None:
    text = await operator.token(org_id)
    await operator.revoke(org_id, text)
    assert await checked.code(text) == ErrorCode.TOKEN_REVOKED


async def test_a_revocation_is_not_told_to_whoever_lacks_the_secret(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    revoked = (await operator.issue(org_id)).record
    await operator.revoke(org_id, revoked.id)
    assert await checked.code(secret.generate(revoked.id).text(PEPPER)) == ErrorCode.INVALID_TOKEN


async def test_a_paused_agent_is_suspended_until_it_is_resumed(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    await operator.pause(org_id, "helper")
    assert await checked.code(text) == ErrorCode.AGENT_SUSPENDED
    await operator.resume(org_id, "helper")
    checked.validator.forget(Change("agent", (await operator.agent(org_id)).id))
    assert await checked.code(text) == "helper"


async def test_a_suspended_organization_is_refused(
    checked: Checked, operator: Operator, org_id: UUID, database: Database
) -> None:
    text = await operator.token(org_id)
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.organizations SET status = 'suspended'")
    assert await checked.code(text) == ErrorCode.ORGANIZATION_SUSPENDED


async def test_a_bound_token_is_for_its_agent_only(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    other = await operator.create_agent(org_id, "Other", "other")
    helper = await operator.agent(org_id, "helper")
    text = await operator.token(org_id, agent="helper")
    for agent in (None, "helper", str(helper.id), str(helper.id).upper()):
        assert await checked.code(text, agent) == "helper"
    for agent in ("other", str(other.id), "nobody", "Helper"):
        assert await checked.code(text, agent) == ErrorCode.AGENT_NOT_AUTHORIZED


async def test_an_unbound_token_is_for_the_agent_that_is_named(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    other = await operator.create_agent(org_id, "Other", "other")
    text = await operator.token(org_id, agent=None)
    assert await checked.code(text) == ErrorCode.MISSING_AGENT_ID
    assert await checked.code(text, "helper") == "helper"
    assert await checked.code(text, str(other.id)) == "other"
    assert await checked.code(text, "nobody") == ErrorCode.AGENT_NOT_AUTHORIZED


async def test_a_default_agent_stands_in_when_none_is_named(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    await operator.create_agent(org_id, "Other", "other")
    helper = await operator.agent(org_id)
    text = (await operator.issue(org_id, agent=None, default_agent_id=helper.id)).text
    assert await checked.code(text) == "helper"
    assert await checked.code(text, "other") == "other"


@pytest.mark.parametrize("agent", [None, "helper"])
async def test_another_organizations_agent_is_refused_like_one_that_does_not_exist(
    checked: Checked, operator: Operator, org_id: UUID, agent: str | None
) -> None:
    foreign_org = await operator.organization("globex")
    foreign = await operator.create_agent(foreign_org, "Spy", "spy")
    text = await operator.token(org_id, agent=agent)
    refusals = []
    for named in ("spy", str(foreign.id), "nobody", str(uuid7())):
        with pytest.raises(IbexError) as caught:
            await checked.validator.authenticate_agent(text, named, None)
        error = caught.value
        refusals.append((error.code, error.status, error.message, error.detail, error.param, error.headers))
    assert refusals[0][:2] == (ErrorCode.AGENT_NOT_AUTHORIZED, 403)
    assert refusals == refusals[:1] * 4


async def test_a_slug_that_two_organizations_use_is_each_ones_own(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    other_org = await operator.organization("globex")
    text = await operator.token(other_org, agent=None)
    principal = await checked.validator.authenticate_agent(text, "helper", None)
    assert principal.org_id == other_org
    assert principal.agent_id == (await operator.agent(other_org, "helper")).id


async def test_the_secret_is_in_no_refusal(checked: Checked, operator: Operator, org_id: UUID) -> None:
    text = await operator.token(org_id)
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    with pytest.raises(IbexError) as caught:
        await checked.validator.authenticate_agent(wrong, None, None)
    assert wrong.rpartition("_")[2] not in repr(caught.value) + str(caught.value)
