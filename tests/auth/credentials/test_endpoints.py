"""`/v1/provider-credentials`, as an administrator's program uses it."""

from typing import Any

import httpx2
import pytest
import pytest_asyncio

from ibex.auth import ALL, CHAT, Permission
from tests.operator import Operator
from tests.service import Service

PATH = "/v1/provider-credentials"
API_KEY = "sk-of-acme-0123456789abcdefa1b2"


@pytest_asyncio.fixture
async def manager(service: Service, operator: Operator) -> str:
    return await operator.token(service.org_id, Permission.ORGANIZATION_SETTINGS, agent=None)


async def call(
    service: Service, token: str, method: str, path: str = PATH, **options: Any
) -> httpx2.Response:
    async with service.http() as client:
        headers = {"Authorization": f"Bearer {token}"}
        return await client.request(method, path, headers=headers, **options)


def code_of(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["code"])


async def test_a_key_is_set_listed_replaced_and_removed(service: Service, manager: str) -> None:
    stored = await call(service, manager, "PUT", f"{PATH}/openai", json={"api_key": API_KEY})
    assert stored.status_code == 200, stored.text
    shown = stored.json()["data"]
    assert set(shown) == {"provider", "hint", "created_at", "updated_at"}
    assert (shown["provider"], shown["hint"]) == ("openai", "…a1b2")
    listed = await call(service, manager, "GET")
    assert listed.json() == {"data": [shown], "pagination": {"has_more": False, "next_cursor": None}}
    replaced = await call(service, manager, "PUT", f"{PATH}/openai", json={"api_key": "sk-another-key-c3d4"})
    assert replaced.json()["data"]["hint"] == "…c3d4"
    removed = await call(service, manager, "DELETE", f"{PATH}/openai")
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await call(service, manager, "GET")).json()["data"] == []
    for answer in (stored, listed, replaced, removed):
        assert API_KEY not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "body",
    [
        {"api_key": "short"},
        {"api_key": f"{API_KEY}\n"},
        {"api_key": [API_KEY]},
        {"api_key": None},
        {},
        {"api_key": API_KEY, "key": API_KEY},
    ],
)
async def test_what_is_no_key_is_refused_without_being_told(
    service: Service, manager: str, body: dict[str, Any]
) -> None:
    answer = await call(service, manager, "PUT", f"{PATH}/openai", json=body)
    assert (answer.status_code, code_of(answer)) == (400, "VALIDATION_ERROR")
    assert "api_key" in answer.text or "key" in answer.json()["error"]["param"]
    assert API_KEY not in answer.text
    assert (await call(service, manager, "GET")).json()["data"] == []


async def test_a_provider_that_is_not_configured_is_refused(service: Service, manager: str) -> None:
    answer = await call(service, manager, "PUT", f"{PATH}/nowhere", json={"api_key": API_KEY})
    assert (answer.status_code, code_of(answer)) == (400, "VALIDATION_ERROR")
    assert "There are: openai." in answer.json()["error"]["message"]


@pytest.mark.parametrize("provider", ["openai", "nowhere", "%F0%9F%94%91"])
async def test_nothing_is_there_to_be_removed(service: Service, manager: str, provider: str) -> None:
    answer = await call(service, manager, "DELETE", f"{PATH}/{provider}")
    assert (answer.status_code, code_of(answer)) == (403, "ACCESS_DENIED")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", f"{PATH}/openai"), ("GET", PATH), ("DELETE", f"{PATH}/openai")]
)
async def test_it_takes_the_permission_for_settings(
    service: Service, operator: Operator, method: str, path: str
) -> None:
    everything_else = ALL & ~Permission.ORGANIZATION_SETTINGS
    for permissions in (CHAT, everything_else):
        token = await operator.token(service.org_id, permissions, agent=None)
        answer = await call(
            service, token, method, path, json={"api_key": API_KEY} if method == "PUT" else None
        )
        assert (answer.status_code, code_of(answer)) == (403, "INSUFFICIENT_PERMISSIONS")


async def test_another_organization_sees_and_touches_nothing(
    service: Service, operator: Operator, manager: str
) -> None:
    rival = await operator.organization("rival")
    token = await operator.token(rival, Permission.ORGANIZATION_SETTINGS, agent=None)
    await call(service, manager, "PUT", f"{PATH}/openai", json={"api_key": API_KEY})
    assert (await call(service, token, "GET")).json()["data"] == []
    assert (await call(service, token, "DELETE", f"{PATH}/openai")).status_code == 403
    await call(service, token, "PUT", f"{PATH}/openai", json={"api_key": "sk-of-the-rival-c3d4"})
    (shown,) = (await call(service, manager, "GET")).json()["data"]
    assert shown["hint"] == "…a1b2"
