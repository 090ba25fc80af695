"""What callers are told of a token."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import CHAT, NO_PERMISSION, Permission, PlatformRight
from ibex.auth.tokens import secret
from ibex.auth.users.repository import User
from ibex.http import parse_networks
from ibex.ids import uuid7
from tests.auth.rpc.calling import Caller
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import PEPPER, Operator

ABOUT_TOKEN = "access_token"
WRONG_ADDRESSES = ["", "localhost", "10.0.0.1:80", "10.0.0.0/8", "10.0.0.256", "fe80::1%eth0", "\x00", "é"]
WRONG_AGENTS = ["a b", "a_b", "\x00", "é", "a" * 65, "'; --"]


@pytest_asyncio.fixture
async def tenant(caller: Caller, operator: Operator) -> UUID:
    """An organization other than the caller's."""
    return await operator.organization("tenant")


async def member(operator: Operator, org_id: UUID) -> User:
    users = operator.administration.users
    return await users.create(operator.actor(org_id), "kim@example.com", "Kim", "member")


async def test_a_token_says_who_holds_it(caller: Caller, tenant: UUID, operator: Operator) -> None:
    until_then = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    kim = await member(operator, tenant)
    issued = await operator.issue(
        tenant,
        Permission.MEMORY_READ | Permission.TRACE_READ,
        user_id=kim.id,
        expires_at=until_then,
    )

    answer = await caller.validate_token(issued.text)

    assert answer.org_id == str(tenant)
    assert answer.token_id == str(issued.record.id)
    assert list(answer.permissions) == ["memory:read", "trace:read"]
    assert answer.permission_bits == 1 << 0 | 1 << 24
    assert answer.agent_id == str((await operator.agent(tenant)).id)
    assert answer.user_id == str(kim.id)
    assert answer.expires_at.ToDatetime(UTC) == until_then


async def test_a_role_that_is_lowered_lowers_what_is_answered_within_a_second(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    kim = await member(operator, tenant)
    issued = await operator.issue(tenant, Permission.MEMORY_READ | Permission.MEMORY_WRITE, user_id=kim.id)
    assert list((await caller.validate_token(issued.text)).permissions) == ["memory:read", "memory:write"]

    await operator.administration.users.update(operator.actor(tenant), kim.id, role="viewer")

    async def is_lowered() -> bool:
        answer = await caller.validate_token(issued.text)
        return answer.permission_bits == Permission.MEMORY_READ

    await until(is_lowered, seconds=1)


async def test_what_a_token_has_not_is_absent(caller: Caller, tenant: UUID, operator: Operator) -> None:
    answer = await caller.validate_token(await operator.token(tenant, CHAT, agent=None))

    assert not answer.HasField("agent_id")
    assert not answer.HasField("user_id")
    assert not answer.HasField("expires_at")


async def test_a_bound_token_acts_as_its_agent(caller: Caller, tenant: UUID, operator: Operator) -> None:
    text = await operator.token(tenant)
    helper = await operator.agent(tenant)

    for agent in (None, "", "helper", str(helper.id), str(helper.id).upper()):
        answer = await caller.validate_agent(text, agent=agent)
        assert (answer.agent_id, answer.agent_slug) == (str(helper.id), "helper")
        assert (answer.org_id, list(answer.permissions)) == (
            str(tenant),
            ["memory:read", "session:create", "session:read"],
        )


async def test_another_token_acts_as_the_agent_that_is_named(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    text = await operator.token(tenant, agent=None)
    other = await operator.create_agent(tenant, "Other", "other")

    assert (await caller.validate_agent(text, agent="other")).agent_id == str(other.id)
    refused = await caller.agent_refusal(text)
    assert refused is not None
    assert refused.reason == ("INVALID_ARGUMENT", "MISSING_AGENT_ID", "request")
    assert "`agent`" in refused.message


async def test_an_agent_that_is_not_the_tokens_is_refused(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    """Whether it is another token's, another organization's or nobody's makes no difference."""
    await operator.create_agent(tenant, "Other", "other")
    elsewhere = await operator.agent(await operator.organization("elsewhere"))
    bound = await operator.token(tenant)

    refusals = {
        agent: await caller.agent_refusal(bound, agent=agent)
        for agent in ("other", "nobody", str(elsewhere.id), str(uuid7()))
    }

    assert {refused.reason for refused in refusals.values() if refused} == {
        ("PERMISSION_DENIED", "AGENT_NOT_AUTHORIZED", ABOUT_TOKEN)
    }
    assert len(set(refusals.values())) == 1


async def test_a_paused_agent_and_the_tokens_that_are_bound_to_it_are_refused_within_a_second(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    bound, unbound = await operator.token(tenant), await operator.token(tenant, agent=None)
    assert await caller.refusal(bound) is None
    assert await caller.agent_refusal(unbound, agent="helper") is None

    await operator.pause(tenant)

    await until(lambda: _token_is(caller, bound, "AGENT_SUSPENDED"), seconds=1)
    assert await _reason(caller, bound) == ("PERMISSION_DENIED", "AGENT_SUSPENDED", ABOUT_TOKEN)
    for text in (bound, unbound):
        refused = await caller.agent_refusal(text, agent="helper")
        assert refused is not None
        assert refused.reason == ("PERMISSION_DENIED", "AGENT_SUSPENDED", ABOUT_TOKEN)
    assert await caller.refusal(unbound) is None

    await operator.resume(tenant)
    await until(lambda: _token_is(caller, bound, ""), seconds=1)


async def test_a_service_token_of_a_paused_agent_may_not_ask(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    issued = await operator.issue(tenant, NO_PERMISSION, platform=PlatformRight.VALIDATE)
    asking = caller.as_holder_of(issued.text)
    asked = await operator.token(tenant, agent=None)
    assert await asking.refusal(asked) is None

    await operator.pause(tenant)

    await until(lambda: _token_is(asking, asked, "AGENT_SUSPENDED"), seconds=1)
    assert await _reason(asking, asked) == ("PERMISSION_DENIED", "AGENT_SUSPENDED", "caller")


async def test_who_tries_one_name_after_another_is_stopped(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    text = await operator.token(tenant, agent=None)
    assert await caller.agent_refusal(text, agent="helper") is None

    refusals = [await caller.agent_refusal(text, agent=f"guess-{number}") for number in range(100)]

    reasons = [refused.reason for refused in refusals if refused]
    assert reasons[0] == ("PERMISSION_DENIED", "AGENT_NOT_AUTHORIZED", ABOUT_TOKEN)
    assert ("RESOURCE_EXHAUSTED", "RATE_LIMITED", ABOUT_TOKEN) in reasons
    assert await caller.agent_refusal(text, agent="helper") is None
    assert await caller.refusal(text) is None


async def test_a_token_that_is_none_is_unauthenticated(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    """One of another installation, a mistyped one and one that was never created are all alike."""
    text = await operator.token(tenant)
    never_created = secret.generate(uuid7())
    tokens = {
        "mistyped": text[:-1] + ("A" if text[-1] != "A" else "B"),
        "of another installation": never_created.text(b"the pepper of another installation"),
        "never created": never_created.text(PEPPER),
        "no token": "hello",
        "nothing but spaces": " ",
        "with NUL": text + "\x00",
        "unicode": "ibex_pat_é",
        "long": "x" * 10_000,
    }

    refusals = {await caller.refusal(token) for token in tokens.values()}
    agent_refusals = {await caller.agent_refusal(token, agent="helper") for token in tokens.values()}

    (refused,) = refusals
    assert refused is not None
    assert refused.reason == ("UNAUTHENTICATED", "INVALID_TOKEN", ABOUT_TOKEN)
    assert agent_refusals == refusals


async def test_an_expired_token_is_unauthenticated(
    caller: Caller, tenant: UUID, operator: Operator, database: Database
) -> None:
    issued = await operator.issue(tenant, expires_at=datetime.now(UTC) + timedelta(days=1))
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute(
            "UPDATE ibex.tokens SET expires_at = now() - interval '1 s' WHERE id = %s", (issued.record.id,)
        )

    assert await _reason(caller, issued.text) == ("UNAUTHENTICATED", "TOKEN_EXPIRED", ABOUT_TOKEN)


async def test_a_revoked_token_is_refused_within_a_second(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    text = await operator.token(tenant)
    assert await caller.refusal(text) is None

    await operator.revoke(tenant, text)

    await until(lambda: _token_is(caller, text, "TOKEN_REVOKED"), seconds=1)
    assert await _reason(caller, text) == ("UNAUTHENTICATED", "TOKEN_REVOKED", ABOUT_TOKEN)


async def test_a_suspended_organization_is_denied_until_it_is_resumed(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    text = await operator.token(tenant)
    organizations = operator.administration.organizations
    assert await caller.refusal(text) is None

    await organizations.suspend(operator.actor(tenant), tenant)
    await until(lambda: _token_is(caller, text, "ORGANIZATION_SUSPENDED"), seconds=1)
    assert (await _reason(caller, text))[0] == "PERMISSION_DENIED"

    await organizations.resume(operator.actor(tenant), tenant)
    await until(lambda: _token_is(caller, text, ""), seconds=1)


async def test_a_suspended_user_is_denied(caller: Caller, tenant: UUID, operator: Operator) -> None:
    kim = await member(operator, tenant)
    text = (await operator.issue(tenant, CHAT, user_id=kim.id)).text
    assert await caller.refusal(text) is None

    await operator.administration.users.suspend(operator.actor(tenant), kim.id)

    await until(lambda: _token_is(caller, text, "USER_SUSPENDED"), seconds=1)
    assert (await _reason(caller, text))[0] == "PERMISSION_DENIED"


async def test_a_token_of_certain_networks_is_denied_from_elsewhere(
    caller: Caller, tenant: UUID, operator: Operator
) -> None:
    """It is the holder's address that counts and not the caller's, which is on the loopback here."""
    networks = parse_networks(["127.0.0.0/8", "2001:db8::/32"])
    text = (await operator.issue(tenant, networks=networks)).text

    for address in ("127.0.0.1", "2001:db8::7", "::ffff:127.0.0.1"):
        assert await caller.refusal(text, client_address=address) is None, address
    for fields in ({"client_address": "192.0.2.1"}, {"client_address": "2001:db9::1"}, {}):
        refused = await caller.refusal(text, **fields)
        assert refused is not None
        assert refused.reason == ("PERMISSION_DENIED", "NETWORK_NOT_ALLOWED", ABOUT_TOKEN)


@pytest.mark.parametrize("address", WRONG_ADDRESSES)
async def test_what_is_no_address_is_an_invalid_argument(
    caller: Caller, tenant: UUID, operator: Operator, address: str
) -> None:
    refused = await caller.refusal(await operator.token(tenant), client_address=address)

    assert refused is not None
    assert refused.reason == ("INVALID_ARGUMENT", "VALIDATION_ERROR", "request")
    assert "client_address" in refused.message


@pytest.mark.parametrize("agent", WRONG_AGENTS)
async def test_what_is_no_agent_is_an_invalid_argument(
    caller: Caller, tenant: UUID, operator: Operator, agent: str
) -> None:
    refused = await caller.agent_refusal(await operator.token(tenant), agent=agent)

    assert refused is not None
    assert refused.reason == ("INVALID_ARGUMENT", "VALIDATION_ERROR", "request")
    assert "`agent`" in refused.message


async def test_no_token_is_an_invalid_argument(caller: Caller) -> None:
    for refused in (await caller.refusal(""), await caller.agent_refusal("", agent="helper")):
        assert refused is not None
        assert refused.reason == ("INVALID_ARGUMENT", "VALIDATION_ERROR", "request")


async def test_a_refusal_is_in_the_audit_of_the_tokens_organization(
    caller: Caller, tenant: UUID, operator: Operator, database: Database
) -> None:
    text = await operator.token(tenant)
    await operator.revoke(tenant, text)
    await until(lambda: _token_is(caller, text, "TOKEN_REVOKED"))
    await caller.refusal(text, client_address="192.0.2.7")

    def addresses() -> list[str]:
        with psycopg.connect(database.superuser_dsn) as connection:
            return [
                row[0]
                for row in connection.execute(
                    "SELECT host(address) FROM ibex.audit_events WHERE org_id = %s AND outcome = 'refused'",
                    (tenant,),
                )
            ]

    await until(lambda: bool(addresses()), seconds=20)


async def _reason(caller: Caller, text: str) -> tuple[str, str, str]:
    refused = await caller.refusal(text)
    assert refused is not None
    return refused.reason


async def _token_is(caller: Caller, text: str, code: str) -> bool:
    refused = await caller.refusal(text)
    return (refused.code if refused else "") == code
