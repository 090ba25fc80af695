"""Whom a token stands for: users with roles, organizations with a state, and networks it may be used from."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import ALL, ALL_RIGHTS, CHAT, NO_RIGHT, Change, Permission, PlatformRight
from ibex.auth.changes.change import Kind
from ibex.auth.roles import ROLES, Role
from ibex.errors import ErrorCode, IbexError
from ibex.http import parse_networks
from ibex.ids import uuid7
from tests.auth.validators import Checked, checking
from tests.fixtures import Database
from tests.operator import Operator


@pytest_asyncio.fixture
async def checked(database: Database) -> AsyncIterator[Checked]:
    async with checking(database) as running:
        yield running


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


@pytest_asyncio.fixture
async def user_id(operator: Operator, org_id: UUID) -> UUID:
    user_id = uuid7()
    await operator.postgres.execute(
        org_id,
        "INSERT INTO ibex.users (org_id, id, email, role) VALUES (%s, %s, 'ada@example.org', 'owner')",
        (org_id, user_id),
    )
    return user_id


async def becomes(operator: Operator, org_id: UUID, user_id: UUID, *, role: Role, status: str) -> None:
    await operator.postgres.execute(
        org_id, "UPDATE ibex.users SET role = %s, status = %s WHERE id = %s", (role, status, user_id)
    )


@pytest.mark.parametrize("role", ROLES)
async def test_a_users_role_narrows_what_its_token_may_do(
    checked: Checked, operator: Operator, org_id: UUID, user_id: UUID, role: Role
) -> None:
    everything = await operator.issue(org_id, ALL, user_id=user_id)
    little = await operator.issue(org_id, CHAT | Permission.BILLING_MANAGE, user_id=user_id)
    await becomes(operator, org_id, user_id, role=role, status="active")
    principal = await checked.validator.authenticate(everything.text, None)
    assert (principal.user_id, principal.permissions) == (user_id, ROLES[role])
    narrow = await checked.validator.authenticate(little.text, None)
    assert narrow.permissions == (CHAT | Permission.BILLING_MANAGE) & ROLES[role]
    acting = await checked.validator.authenticate_agent(everything.text, None, None)
    assert acting.permissions == ROLES[role]


async def test_no_role_gives_what_the_token_lacks(
    checked: Checked, operator: Operator, org_id: UUID, user_id: UUID
) -> None:
    issued = await operator.issue(org_id, Permission.MEMORY_READ, user_id=user_id)
    assert (await checked.validator.authenticate(issued.text, None)).permissions == Permission.MEMORY_READ


async def test_a_role_that_only_a_newer_version_knows_allows_nothing(
    checked: Checked, operator: Operator, org_id: UUID, user_id: UUID, database: Database
) -> None:
    issued = await operator.issue(org_id, ALL, user_id=user_id)
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("ALTER TABLE ibex.users DROP CONSTRAINT users_role_check")
        connection.execute("UPDATE ibex.users SET role = 'guest'")
    assert (await checked.validator.authenticate(issued.text, None)).permissions == 0


async def test_a_lowered_role_counts_as_soon_as_it_is_heard_of(
    checked: Checked, operator: Operator, org_id: UUID, user_id: UUID
) -> None:
    issued = await operator.issue(org_id, ALL, user_id=user_id)
    assert (await checked.validator.authenticate(issued.text, None)).permissions == ALL
    await becomes(operator, org_id, user_id, role="viewer", status="active")
    checked.validator.forget(Change("user", user_id))
    principal = await checked.validator.authenticate(issued.text, None)
    assert principal.permissions == ROLES["viewer"]
    with pytest.raises(IbexError) as caught:
        principal.require(Permission.TOKEN_CREATE)
    assert caught.value.code is ErrorCode.INSUFFICIENT_PERMISSIONS


@pytest.mark.parametrize("status", ["suspended", "removed"])
async def test_the_token_of_a_user_who_is_gone_is_refused_until_they_are_back(
    checked: Checked, operator: Operator, org_id: UUID, user_id: UUID, status: str
) -> None:
    issued, nobodys = await operator.issue(org_id, user_id=user_id), await operator.token(org_id)
    assert await checked.code(issued.text) == "helper"
    await becomes(operator, org_id, user_id, role="owner", status=status)
    checked.validator.forget(Change("user", user_id))
    assert await checked.code(issued.text) == ErrorCode.USER_SUSPENDED
    with pytest.raises(IbexError) as caught:
        await checked.validator.authenticate(issued.text, None)
    assert (caught.value.code, caught.value.status) == (ErrorCode.USER_SUSPENDED, 403)
    assert await checked.code(nobodys) == "helper"
    await becomes(operator, org_id, user_id, role="owner", status="active")
    checked.validator.forget(Change("user", user_id))
    assert await checked.code(issued.text) == "helper"


@pytest.mark.parametrize(
    ("status", "delete_after"),
    [("suspended", None), ("deleting", "2030-01-01")],
    ids=["suspended", "deleting"],
)
async def test_an_organization_that_is_suspended_or_going_is_refused_until_it_is_back(
    checked: Checked, operator: Operator, org_id: UUID, status: str, delete_after: str | None
) -> None:
    async def become(status: str, delete_after: str | None) -> None:
        await operator.postgres.execute(
            org_id, "UPDATE ibex.organizations SET status = %s, delete_after = %s", (status, delete_after)
        )
        checked.validator.forget(Change("organization", org_id))

    text, unbound = await operator.token(org_id), await operator.token(org_id, agent=None)
    assert await checked.code(text) == "helper"
    await become(status, delete_after)
    assert await checked.code(text) == ErrorCode.ORGANIZATION_SUSPENDED
    assert await checked.code(unbound, "helper") == ErrorCode.ORGANIZATION_SUSPENDED
    for token in (text, unbound):
        with pytest.raises(IbexError) as caught:
            await checked.validator.authenticate(token, None)
        assert (caught.value.code, caught.value.status) == (ErrorCode.ORGANIZATION_SUSPENDED, 403)
    await become("active", None)
    assert await checked.code(text) == "helper"


@pytest.mark.parametrize(
    ("networks", "address", "is_allowed"),
    [
        (["10.0.0.0/8"], "10.255.0.1", True),
        (["10.0.0.0/8"], "::ffff:10.255.0.1", True),
        (["::ffff:10.0.0.0/104"], "10.255.0.1", True),
        (["10.0.0.0/8"], "11.0.0.1", False),
        (["10.0.0.0/8"], "::ffff:11.0.0.1", False),
        (["10.0.0.0/8"], "::10.0.0.1", False),
        (["10.0.0.0/8"], None, False),
        (["10.0.0.0/8"], "nonsense", False),
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False),
        (["2001:db8::/32"], "2001:db8:5::1", True),
        (["2001:db8::/32"], "2001:DB8:0005::0001", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["2001:db8::/32"], "10.0.0.1", False),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", True),
        ([], "203.0.113.1", True),
        ([], None, True),
    ],
)
async def test_a_token_is_used_from_its_networks_only(
    checked: Checked,
    operator: Operator,
    org_id: UUID,
    networks: list[str],
    address: str | None,
    is_allowed: bool,
) -> None:
    issued = await operator.issue(org_id, networks=parse_networks(networks))
    expected = "helper" if is_allowed else ErrorCode.NETWORK_NOT_ALLOWED
    for _ in range(2):
        assert await checked.code(issued.text, None, address) == expected
    assert checked.statements == 1
    if not is_allowed:
        with pytest.raises(IbexError) as caught:
            await checked.validator.authenticate(issued.text, address)
        assert (caught.value.code, caught.value.status) == (ErrorCode.NETWORK_NOT_ALLOWED, 403)


async def test_one_address_that_is_refused_does_not_keep_out_another(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    issued = await operator.issue(org_id, networks=parse_networks(["10.0.0.0/8"]))
    for address, expected in (("11.0.0.1", "NETWORK_NOT_ALLOWED"), ("10.0.0.1", "helper")) * 2:
        assert await checked.code(issued.text, None, address) == expected


async def test_rights_over_the_installation_are_the_tokens_own(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    issued = await operator.issue(org_id, platform=PlatformRight.VALIDATE)
    principal = await checked.validator.authenticate(issued.text, None)
    principal.require_platform(PlatformRight.VALIDATE)
    with pytest.raises(IbexError) as caught:
        principal.require_platform(PlatformRight.VALIDATE | PlatformRight.ORGANIZATIONS)
    assert caught.value.detail == "Missing: platform:organizations."


@pytest.mark.parametrize("role", ROLES)
async def test_of_users_only_owners_have_rights_over_the_installation(
    checked: Checked, operator: Operator, org_id: UUID, user_id: UUID, role: Role
) -> None:
    """Also by a token that they got when they were owners."""
    issued = await operator.issue(org_id, user_id=user_id, platform=ALL_RIGHTS)
    await becomes(operator, org_id, user_id, role=role, status="active")
    principal = await checked.validator.authenticate(issued.text, None)
    assert principal.platform == (ALL_RIGHTS if role == "owner" else NO_RIGHT)


async def test_a_token_without_an_agent_is_somebody(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    """The management interface asks for no agent; the proxy does."""
    unbound = await operator.token(org_id, agent=None)
    assert (await checked.validator.authenticate(unbound, None)).bound_agent_id is None
    assert await checked.code(unbound) == ErrorCode.MISSING_AGENT_ID


async def test_the_token_of_a_paused_agent_is_refused_where_no_agent_is_asked_for(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    bound, helper = await operator.issue(org_id), await operator.agent(org_id)
    assert (await checked.validator.authenticate(bound.text, None)).bound_agent_id == helper.id
    await operator.pause(org_id)
    checked.validator.forget(Change("agent", helper.id))
    for _ in range(2):
        with pytest.raises(IbexError) as caught:
            await checked.validator.authenticate(bound.text, "192.0.2.1")
        assert (caught.value.code, caught.value.status) == (ErrorCode.AGENT_SUSPENDED, 403)
    assert checked.statements == 2
    assert checked.refused == [(bound.record.id, ErrorCode.AGENT_SUSPENDED, "192.0.2.1")] * 2
    await operator.resume(org_id)
    checked.validator.forget(Change("agent", helper.id))
    assert (await checked.validator.authenticate(bound.text, None)).bound_agent_id == helper.id


async def test_a_token_that_is_not_bound_to_the_paused_agent_goes_on(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    """One that names its agent, and one that has the paused agent only for the calls that name none."""
    helper = await operator.agent(org_id)
    await operator.create_agent(org_id, "Other", "other")
    default = await operator.issue(org_id, agent=None, default_agent_id=helper.id)
    await operator.pause(org_id)
    for text in (await operator.token(org_id, agent=None), default.text):
        assert (await checked.validator.authenticate(text, None)).bound_agent_id is None
        assert await checked.code(text, "helper") == ErrorCode.AGENT_SUSPENDED
        assert await checked.code(text, "other") == "other"
    assert await checked.code(default.text) == ErrorCode.AGENT_SUSPENDED


async def test_a_paused_agents_token_is_told_of_its_own_trouble_first(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    issued = await operator.issue(org_id, networks=parse_networks(["10.0.0.0/8"]))
    await operator.pause(org_id)
    for address, code in (("11.0.0.1", "NETWORK_NOT_ALLOWED"), ("10.0.0.1", "AGENT_SUSPENDED")):
        with pytest.raises(IbexError) as caught:
            await checked.validator.authenticate(issued.text, address)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "named", ["a\x00b", "\ud800", "Helper", "helper ", "x" * 10_000, "../helper", "%", "_", "", "é"]
)
async def test_what_no_agent_can_be_called_is_refused_like_one_that_does_not_exist(
    checked: Checked, operator: Operator, org_id: UUID, named: str
) -> None:
    text = await operator.token(org_id, agent=None)
    assert await checked.code(text, named) == ErrorCode.AGENT_NOT_AUTHORIZED
    assert await checked.code("nonsense", named) == ErrorCode.INVALID_TOKEN


async def test_who_is_refused_is_told_with_the_reason_and_the_address(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    limited = await operator.issue(org_id, networks=parse_networks(["10.0.0.0/8"]))
    revoked = await operator.issue(org_id)
    await operator.revoke(org_id, revoked.text)
    await checked.code(limited.text, None, "11.0.0.1")
    await checked.code(limited.text, "nobody", "10.0.0.1")
    await checked.code(revoked.text, None, "12.0.0.1")
    await checked.code(limited.text, None, "10.0.0.1")
    await checked.code("nonsense", None, "13.0.0.1")
    assert checked.refused == [
        (limited.record.id, ErrorCode.NETWORK_NOT_ALLOWED, "11.0.0.1"),
        (limited.record.id, ErrorCode.AGENT_NOT_AUTHORIZED, "10.0.0.1"),
        (revoked.record.id, ErrorCode.TOKEN_REVOKED, "12.0.0.1"),
    ]


@pytest.mark.parametrize("kind", ["credentials", "limits"])
async def test_a_change_that_touches_no_token_drops_none(
    checked: Checked, operator: Operator, org_id: UUID, kind: Kind
) -> None:
    text = await operator.token(org_id)
    await checked.code(text)
    checked.validator.forget(Change(kind, org_id))
    await checked.code(text)
    assert checked.statements == 1
