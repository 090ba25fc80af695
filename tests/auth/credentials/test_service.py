"""What is stored of a provider key, and what is left behind of a change."""

from uuid import UUID

import pytest
import pytest_asyncio

from ibex.auth.changes.repository import Position, changes_after
from ibex.auth.credentials.service import CredentialService
from ibex.errors import ErrorCode, IbexError
from tests.operator import KEYS, Operator

API_KEY = "sk-of-acme-0123456789abcdefa1b2"


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


def credentials(operator: Operator) -> CredentialService:
    return operator.administration.credentials


async def put(operator: Operator, org_id: UUID, api_key: str = API_KEY, provider: str = "openai") -> None:
    await credentials(operator).put(operator.actor(org_id), provider, api_key)


async def refusal(operator: Operator, org_id: UUID, api_key: str, provider: str = "openai") -> IbexError:
    with pytest.raises(IbexError) as caught:
        await put(operator, org_id, api_key, provider)
    return caught.value


async def test_only_the_end_of_a_key_is_shown(operator: Operator, org_id: UUID) -> None:
    await put(operator, org_id)
    (shown,) = await credentials(operator).all_of(org_id)
    assert (shown.provider, shown.hint, shown.key_id) == ("openai", "…a1b2", KEYS.primary().id)
    assert API_KEY not in repr(shown)


async def test_of_a_short_key_nothing_is_shown(operator: Operator, org_id: UUID) -> None:
    await put(operator, org_id, "token-abc123")
    assert [each.hint for each in await credentials(operator).all_of(org_id)] == ["…"]


async def test_setting_a_key_again_replaces_it(operator: Operator, org_id: UUID) -> None:
    await put(operator, org_id)
    (before,) = await credentials(operator).all_of(org_id)
    await put(operator, org_id, API_KEY.replace("a1b2", "c3d4"))
    (after,) = await credentials(operator).all_of(org_id)
    assert after.hint == "…c3d4"
    assert after.created_at == before.created_at
    assert after.updated_at > before.updated_at


async def test_a_removed_key_is_gone(operator: Operator, org_id: UUID) -> None:
    await put(operator, org_id)
    await credentials(operator).remove(operator.actor(org_id), "openai")
    assert await credentials(operator).all_of(org_id) == []


@pytest.mark.parametrize("provider", ["openai", "no-such", "a\0b", "é" * 200])
async def test_a_key_that_is_not_there_cannot_be_removed(
    operator: Operator, org_id: UUID, provider: str
) -> None:
    with pytest.raises(IbexError) as caught:
        await credentials(operator).remove(operator.actor(org_id), provider)
    assert caught.value.code is ErrorCode.ACCESS_DENIED


@pytest.mark.parametrize(
    "api_key", ["", "short", "x" * 513, "with a space", "line\nbreak", "kéy-kéy-kéy", "nul\0nul\0"]
)
async def test_what_cannot_be_a_key_is_refused_without_being_told(
    operator: Operator, org_id: UUID, api_key: str
) -> None:
    error = await refusal(operator, org_id, api_key)
    assert (error.code, error.param) == (ErrorCode.VALIDATION_ERROR, "api_key")
    assert not api_key or api_key not in error.message


async def test_a_provider_that_is_not_configured_is_refused_with_those_that_are(
    operator: Operator, org_id: UUID
) -> None:
    error = await refusal(operator, org_id, API_KEY, "nowhere")
    assert (error.code, error.param) == (ErrorCode.VALIDATION_ERROR, "provider")
    assert "mock, openai, other" in error.message


async def test_changes_are_audited_and_noted_without_the_key(operator: Operator, org_id: UUID) -> None:
    await put(operator, org_id)
    await credentials(operator).remove(operator.actor(org_id), "openai")
    async with operator.postgres.transaction(org_id) as connection:
        events = await (
            await connection.execute(
                "SELECT action, target, e::text FROM ibex.audit_events AS e "
                "WHERE action LIKE 'credential.%' ORDER BY id"
            )
        ).fetchall()
    assert [event[:2] for event in events] == [
        ("credential.set", "openai"),
        ("credential.remove", "openai"),
    ]
    assert not any("a1b2" in event[2] for event in events)
    news = await changes_after(operator.postgres, Position())
    assert news is not None
    noted = list(zip(news.kinds, news.subjects, strict=True))
    assert noted.count(("credentials", org_id)) == 2


async def test_what_is_stored_is_not_the_key(operator: Operator, org_id: UUID) -> None:
    await put(operator, org_id)
    async with operator.postgres.transaction(org_id) as connection:
        row = await (
            await connection.execute("SELECT c::text, sealed FROM ibex.provider_credentials AS c")
        ).fetchone()
    assert row is not None
    assert API_KEY not in row[0]
    assert API_KEY.encode() not in row[1]
