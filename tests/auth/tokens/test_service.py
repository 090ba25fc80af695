"""What is done to tokens, and that none can do more than its creator."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import ALL, CHAT, Actor, Grant, Permission, PlatformRight, TokenRequest
from ibex.auth.tokens import secret
from ibex.errors import ErrorCode, IbexError
from ibex.http import parse_networks
from ibex.ids import uuid7
from tests.auth.validators import checking
from tests.fixtures import Database
from tests.operator import PEPPER, Operator


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x00b", "\ud800"])
async def test_a_malformed_name_is_refused(operator: Operator, org_id: UUID, name: str) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.issue(org_id, name=name)
    assert (caught.value.code, caught.value.param) == (ErrorCode.VALIDATION_ERROR, "name")


async def test_only_a_hash_of_the_secret_is_stored(operator: Operator, org_id: UUID) -> None:
    text = await operator.token(org_id)
    token = secret.parse(text, PEPPER)
    assert token is not None
    async with operator.postgres.transaction(org_id) as connection:
        stored = await (await connection.execute("SELECT secret_hash FROM ibex.tokens")).fetchall()
        rows = str(await (await connection.execute("SELECT tokens::text FROM ibex.tokens")).fetchall())
    assert stored == [(secret.secret_hash(token, PEPPER),)]
    assert text.rpartition("_")[2] not in rows
    assert token.secret.hex() not in rows


async def test_those_of_another_organization_do_not_exist(operator: Operator, org_id: UUID) -> None:
    other = await operator.organization("globex")
    issued = await operator.issue(org_id)
    helper = await operator.agent(org_id)
    tokens, actor = operator.administration.tokens, operator.actor(other)
    refusals = []
    for token_id in (issued.record.id, uuid7()):
        for attempt in (
            tokens.get(other, token_id),
            tokens.revoke(actor, token_id),
            tokens.rotate(actor, token_id, timedelta(0)),
        ):
            with pytest.raises(IbexError) as caught:
                await attempt
            refusals.append((caught.value.code, caught.value.message, caught.value.detail))
    assert refusals == [refusals[0]] * 6
    assert refusals[0][0] is ErrorCode.ACCESS_DENIED
    for agent_id in (helper.id, uuid7()):
        for bound in (
            TokenRequest("stolen", Grant(CHAT), agent_id=agent_id),
            TokenRequest("stolen", Grant(CHAT), default_agent_id=agent_id),
        ):
            with pytest.raises(IbexError) as caught:
                await tokens.create(actor, bound)
            assert caught.value.code is ErrorCode.ACCESS_DENIED
    assert await tokens.page(other, None, 10) == []
    assert (await tokens.get(org_id, issued.record.id)).revoked_at is None


async def test_revoking_twice_keeps_the_first_time(operator: Operator, org_id: UUID) -> None:
    issued = await operator.issue(org_id)
    await operator.revoke(org_id, issued.text)
    first = (await operator.administration.tokens.get(org_id, issued.record.id)).revoked_at
    assert first is not None
    await operator.revoke(org_id, issued.text)
    assert (await operator.administration.tokens.get(org_id, issued.record.id)).revoked_at == first


async def test_a_token_has_an_agent_of_its_own_or_a_default_one(operator: Operator, org_id: UUID) -> None:
    helper = await operator.agent(org_id)
    with pytest.raises(IbexError) as caught:
        await operator.issue(org_id, default_agent_id=helper.id)
    assert (caught.value.code, caught.value.param) == (ErrorCode.VALIDATION_ERROR, "default_agent_id")


@pytest.mark.parametrize(
    "expires_at",
    [datetime.now(UTC) - timedelta(seconds=1), (datetime.now(UTC) + timedelta(days=1)).replace(tzinfo=None)],
    ids=["past", "no time zone"],
)
async def test_an_expiry_lies_in_the_future_and_in_a_time_zone(
    operator: Operator, org_id: UUID, expires_at: datetime
) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.issue(org_id, expires_at=expires_at)
    assert (caught.value.code, caught.value.param) == (ErrorCode.VALIDATION_ERROR, "expires_at")


IN_A_DAY = datetime.now(UTC) + timedelta(days=1)

HOLDER = Actor(
    org_id=uuid7(),
    name="token:test",
    grant=Grant(CHAT | Permission.TOKEN_CREATE),
    networks=parse_networks(["10.0.0.0/8"]),
    until=IN_A_DAY,
)
WITHIN = TokenRequest(
    "within", Grant(CHAT), networks=parse_networks(["10.1.0.0/16"]), expires_at=IN_A_DAY - timedelta(hours=1)
)


def holder(org_id: UUID, **fields: object) -> Actor:
    return replace(HOLDER, org_id=org_id, **fields)  # type: ignore[arg-type]


async def test_what_lies_within_its_creators_reach_is_granted(operator: Operator, org_id: UUID) -> None:
    issued = await operator.administration.tokens.create(holder(org_id), WITHIN)
    assert issued.record.permissions == CHAT
    assert issued.record.allowed_networks == ["10.1.0.0/16"]
    assert issued.record.expires_at == WITHIN.expires_at


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda r: replace(r, grant=Grant(CHAT | Permission.MEMORY_WRITE)), "memory:write"),
        (lambda r: replace(r, grant=Grant(ALL)), "directive:promote"),
        (lambda r: replace(r, grant=Grant(CHAT, PlatformRight.VALIDATE)), "platform:validate"),
        (lambda r: replace(r, networks=()), "networks"),
        (lambda r: replace(r, networks=parse_networks(["10.0.0.0/7"])), "networks"),
        (lambda r: replace(r, networks=parse_networks(["::ffff:10.0.0.0/103"])), "networks"),
        (lambda r: replace(r, expires_at=None), "longer"),
        (lambda r: replace(r, expires_at=IN_A_DAY + timedelta(seconds=1)), "longer"),
    ],
    ids=["permission", "all", "platform", "anywhere", "wider", "mapped", "for ever", "longer"],
)
async def test_what_goes_beyond_is_refused(
    operator: Operator, org_id: UUID, change: Callable[[TokenRequest], TokenRequest], detail: str
) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.administration.tokens.create(holder(org_id), change(WITHIN))
    assert caught.value.code is ErrorCode.INSUFFICIENT_PERMISSIONS
    assert detail in (caught.value.detail or "")
    assert await operator.administration.tokens.page(org_id, None, 10) == []


async def test_whoever_is_bound_to_an_agent_creates_for_that_agent_only(
    operator: Operator, org_id: UUID
) -> None:
    helper, other = await operator.agent(org_id), await operator.create_agent(org_id, "Other", "other")
    bound = holder(org_id, agent_id=helper.id)
    for agent_id in (None, other.id):
        with pytest.raises(IbexError) as caught:
            await operator.administration.tokens.create(bound, replace(WITHIN, agent_id=agent_id))
        assert caught.value.code is ErrorCode.INSUFFICIENT_PERMISSIONS
    issued = await operator.administration.tokens.create(bound, replace(WITHIN, agent_id=helper.id))
    assert issued.record.agent_id == helper.id


async def test_a_rotated_token_goes_on_for_its_overlap_and_the_new_one_can_do_the_same(
    operator: Operator, org_id: UUID, database: Database
) -> None:
    old = await operator.issue(org_id, networks=parse_networks(["10.0.0.0/8"]))
    new = await operator.administration.tokens.rotate(
        operator.actor(org_id), old.record.id, timedelta(hours=1)
    )
    kept = ("name", "permissions", "platform", "agent_id", "user_id", "allowed_networks", "expires_at")
    assert [getattr(new.record, field) for field in kept] == [getattr(old.record, field) for field in kept]
    ending = await operator.administration.tokens.get(org_id, old.record.id)
    assert ending.replaced_by == new.record.id
    assert ending.expires_at is not None
    async with checking(database) as checked:
        assert await checked.code(old.text, None, "10.0.0.1") == "helper"
        assert await checked.code(new.text, None, "10.0.0.1") == "helper"
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.tokens SET expires_at = now() WHERE id = %s", (old.record.id,))
    async with checking(database) as checked:
        assert await checked.code(old.text, None, "10.0.0.1") == ErrorCode.TOKEN_EXPIRED
        assert await checked.code(new.text, None, "10.0.0.1") == "helper"


async def test_no_overlap_ends_the_old_token_at_once(
    operator: Operator, org_id: UUID, database: Database
) -> None:
    old = await operator.issue(org_id)
    new = await operator.administration.tokens.rotate(operator.actor(org_id), old.record.id, timedelta(0))
    async with checking(database) as checked:
        assert await checked.code(old.text) == ErrorCode.TOKEN_EXPIRED
        assert await checked.code(new.text) == "helper"


async def test_what_is_over_cannot_be_rotated(operator: Operator, org_id: UUID) -> None:
    tokens, actor = operator.administration.tokens, operator.actor(org_id)
    revoked, rotated = await operator.issue(org_id), await operator.issue(org_id)
    await operator.revoke(org_id, revoked.text)
    await tokens.rotate(actor, rotated.record.id, timedelta(hours=1))
    before = await tokens.page(org_id, None, 10)
    for issued in (revoked, rotated):
        with pytest.raises(IbexError) as caught:
            await tokens.rotate(actor, issued.record.id, timedelta(0))
        assert caught.value.code is ErrorCode.CONFLICT
    assert await tokens.page(org_id, None, 10) == before


async def test_nobody_rotates_what_can_do_more(operator: Operator, org_id: UUID) -> None:
    powerful = await operator.issue(org_id, ALL)
    with pytest.raises(IbexError) as caught:
        await operator.administration.tokens.rotate(holder(org_id), powerful.record.id, timedelta(0))
    assert caught.value.code is ErrorCode.INSUFFICIENT_PERMISSIONS


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
async def test_an_overlap_is_no_longer_than_a_month(
    operator: Operator, org_id: UUID, overlap: timedelta
) -> None:
    issued = await operator.issue(org_id)
    with pytest.raises(IbexError) as caught:
        await operator.administration.tokens.rotate(operator.actor(org_id), issued.record.id, overlap)
    assert (caught.value.code, caught.value.param) == (ErrorCode.VALIDATION_ERROR, "overlap_seconds")
