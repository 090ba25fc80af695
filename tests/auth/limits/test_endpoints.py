"""`/v1/limits`, as an administrator's program uses it."""

from typing import Any

import httpx2
import openai
import pytest
import pytest_asyncio

from ibex.auth import ALL, CHAT, Permission, PlatformRight
from ibex.auth.audit import AuditService, Selection
from ibex.ids import uuid7
from tests.faults.waiting import until
from tests.operator import Operator
from tests.service import Service

PATH = "/v1/limits"


@pytest_asyncio.fixture
async def manager(service: Service, operator: Operator) -> str:
    return await operator.token(service.org_id, Permission.ORGANIZATION_SETTINGS, agent=None)


@pytest_asyncio.fixture
async def platform(operator: Operator) -> str:
    """Somebody who runs the installation, with a token of another organization."""
    org_id = await operator.organization("operators")
    issued = await operator.issue(org_id, CHAT, platform=PlatformRight.ORGANIZATIONS)
    return issued.text


async def call(
    service: Service, token: str, method: str, path: str = PATH, **options: Any
) -> httpx2.Response:
    async with service.http() as client:
        headers = {"Authorization": f"Bearer {token}"}
        return await client.request(method, path, headers=headers, **options)


def code_of(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["code"])


async def test_a_limit_is_set_listed_replaced_and_removed(service: Service, manager: str) -> None:
    body = {"scope": "end_user", "subject": "zoe@example.com", "requests_per_minute": 5}
    stored = await call(service, manager, "PUT", json=body)
    assert stored.status_code == 200, stored.text
    shown = stored.json()["data"]
    assert {name: shown[name] for name in body} == body
    assert (shown["tokens_per_minute"], shown["concurrent_requests"]) == (None, None)
    listed = await call(service, manager, "GET")
    assert listed.json() == {"data": [shown], "pagination": {"has_more": False, "next_cursor": None}}
    other = {"scope": "end_user", "subject": "zoe@example.com", "concurrent_requests": 0}
    replaced = (await call(service, manager, "PUT", json=other)).json()["data"]
    assert (replaced["id"], replaced["requests_per_minute"]) == (shown["id"], None)
    removed = await call(service, manager, "DELETE", f"{PATH}/{shown['id']}")
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await call(service, manager, "GET")).json()["data"] == []


async def test_lists_have_pages(service: Service, manager: str) -> None:
    for name in "abc":
        body = {"scope": "end_user", "subject": name, "requests_per_minute": 5}
        assert (await call(service, manager, "PUT", json=body)).status_code == 200
    first = (await call(service, manager, "GET", f"{PATH}?limit=2")).json()
    cursor = first["pagination"]["next_cursor"]
    second = (await call(service, manager, "GET", f"{PATH}?limit=2&cursor={cursor}")).json()
    assert [each["subject"] for page in (first, second) for each in page["data"]] == ["a", "b", "c"]
    assert second["pagination"] == {"has_more": False, "next_cursor": None}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scope": "end_user", "subject": "zoe"},
        {"scope": "end_user", "subject": "zoe", "requests_per_minute": -1},
        {"scope": "end_user", "subject": "zoe", "requests_per_minute": 1.5},
        {"scope": "end_user", "subject": "zoe", "requests_per_minute": 1 << 40},
        {"scope": "end_user", "subject": "a\x00b", "requests_per_minute": 1},
        {"scope": "planet", "subject": "zoe", "requests_per_minute": 1},
        {"scope": "agent", "subject": "helper", "requests_per_minute": 1},
        {"scope": "end_user", "subject": "zoe", "requests_per_minute": 1, "org_id": str(uuid7())},
    ],
)
async def test_what_makes_no_sense_is_refused(service: Service, manager: str, body: Any) -> None:
    answer = await call(service, manager, "PUT", json=body)
    assert (answer.status_code, code_of(answer)) == (400, "VALIDATION_ERROR")
    assert (await call(service, manager, "GET")).json()["data"] == []


async def test_it_takes_the_permission_for_settings(service: Service, operator: Operator) -> None:
    token = await operator.token(service.org_id, ALL & ~Permission.ORGANIZATION_SETTINGS, agent=None)
    body = {"scope": "end_user", "subject": "zoe", "requests_per_minute": 5}
    for method, path, options in (
        ("PUT", PATH, {"json": body}),
        ("GET", PATH, {}),
        ("GET", f"{PATH}/effective", {}),
        ("DELETE", f"{PATH}/{uuid7()}", {}),
    ):
        answer = await call(service, token, method, path, **options)
        assert (answer.status_code, code_of(answer)) == (403, "INSUFFICIENT_PERMISSIONS"), path


async def test_another_organization_sees_and_touches_nothing(
    service: Service, operator: Operator, manager: str
) -> None:
    body = {"scope": "end_user", "subject": "zoe", "requests_per_minute": 5}
    shown = (await call(service, manager, "PUT", json=body)).json()["data"]
    other_id = await operator.organization("other")
    stranger = await operator.token(other_id, Permission.ORGANIZATION_SETTINGS, agent=None)
    theirs = await operator.agent(service.org_id)
    absent = await call(service, stranger, "DELETE", f"{PATH}/{uuid7()}")
    others = await call(service, stranger, "DELETE", f"{PATH}/{shown['id']}")
    assert others.status_code == absent.status_code == 403
    assert others.json()["error"]["message"] == absent.json()["error"]["message"]
    assert (await call(service, stranger, "GET")).json()["data"] == []
    for agent_id in (theirs.id, uuid7()):
        limit = {"scope": "agent", "subject": str(agent_id), "requests_per_minute": 0}
        assert code_of(await call(service, stranger, "PUT", json=limit)) == "ACCESS_DENIED"
        shown_to = await call(service, stranger, "GET", f"{PATH}/effective?agent_id={agent_id}")
        assert code_of(shown_to) == "ACCESS_DENIED"
    assert (await call(service, manager, "GET")).json()["data"] == [shown]


async def test_what_applies_is_shown(service: Service, operator: Operator, manager: str) -> None:
    agent = await operator.agent(service.org_id)
    body = {"scope": "agent", "subject": str(agent.id), "tokens_per_minute": 70}
    assert (await call(service, manager, "PUT", json=body)).status_code == 200
    shown = await call(service, manager, "GET", f"{PATH}/effective?agent_id={agent.id}&user_id=zoe")
    by_minute = ("scope", "subject", "requests_per_minute", "tokens_per_minute", "concurrent_requests")
    limits = shown.json()["data"]["limits"]
    assert [{name: each[name] for name in by_minute} for each in limits] == [
        {
            "scope": scope,
            "subject": subject,
            "requests_per_minute": requests,
            "tokens_per_minute": tokens,
            "concurrent_requests": None,
        }
        for scope, subject, requests, tokens in (
            ("agent", str(agent.id), 1_200, 70),
            ("end_user", "zoe", None, None),
            ("organization", str(service.org_id), 6_000, None),
        )
    ]
    assert [each["used"] is None for each in limits] == [False, True, False]


async def test_only_the_platform_sets_the_limits_of_an_organization(
    service: Service, operator: Operator, manager: str, platform: str
) -> None:
    path = f"/v1/organizations/{service.org_id}/limits"
    own = {"scope": "organization", "subject": str(service.org_id), "requests_per_minute": 10**9}
    assert code_of(await call(service, manager, "PUT", json=own)) == "INSUFFICIENT_PERMISSIONS"
    refused = await call(service, manager, "PUT", path, json={"requests_per_minute": 10**9})
    assert code_of(refused) == "INSUFFICIENT_PERMISSIONS"
    stored = await call(service, platform, "PUT", path, json={"requests_per_minute": 50})
    assert stored.status_code == 200, stored.text
    [listed] = (await call(service, manager, "GET")).json()["data"]
    assert listed == stored.json()["data"]
    assert code_of(await call(service, manager, "DELETE", f"{PATH}/{listed['id']}")) == (
        "INSUFFICIENT_PERMISSIONS"
    )
    assert (await call(service, platform, "DELETE", path)).status_code == 204
    assert code_of(await call(service, platform, "DELETE", path)) == "ACCESS_DENIED"
    nowhere = f"/v1/organizations/{uuid7()}/limits"
    absent = await call(service, platform, "PUT", nowhere, json={"requests_per_minute": 50})
    assert code_of(absent) == "ACCESS_DENIED"


async def test_limits_of_an_organization_are_in_its_audit_and_in_that_of_whoever_sets_them(
    service: Service, operator: Operator
) -> None:
    home = await operator.organization("operators")
    platform = (await operator.issue(home, CHAT, platform=PlatformRight.ORGANIZATIONS)).text
    path = f"/v1/organizations/{service.org_id}/limits"
    assert (await call(service, platform, "PUT", path, json={"requests_per_minute": 50})).status_code == 200
    assert (await call(service, platform, "DELETE", path)).status_code == 204
    audit = AuditService(operator.postgres)
    for org_id, target in (
        (home, str(service.org_id)),
        (service.org_id, f"organization:{service.org_id}"),
    ):
        found = await audit.page(org_id, None, 10, Selection(action="limit."))
        assert [(event.action, event.target) for event in found] == [
            ("limit.remove", target),
            ("limit.set", target),
        ]


async def test_what_is_allowed_for_a_month_is_shown_with_what_was_used(
    service: Service, operator: Operator, manager: str
) -> None:
    agent = await operator.agent(service.org_id)
    body = {"scope": "agent", "subject": str(agent.id), "usd_per_month": 2.5, "requests_per_month": 0}
    stored = (await call(service, manager, "PUT", json=body)).json()["data"]
    assert {name: stored[name] for name in body} == body
    found = (await call(service, manager, "GET", f"{PATH}/effective?agent_id={agent.id}")).json()["data"]
    [of_agent, of_all] = found["limits"]
    assert (of_agent["usd_per_month"], of_agent["tokens_per_month"]) == (2.5, None)
    assert {name: of_agent["used"][name] for name in ("requests", "tokens", "usd")} == {
        "requests": 0,
        "tokens": 0,
        "usd": 0.0,
    }
    assert of_all["requests_per_month"] is None

    async with service.openai() as client:

        async def is_refused() -> bool:
            try:
                await client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": "Hello."}]
                )
            except openai.RateLimitError as error:
                return error.code == "QUOTA_EXCEEDED"
            return False

        await until(is_refused)
    of_organization = {**body, "scope": "organization", "subject": str(service.org_id)}
    refused = await call(service, manager, "PUT", json=of_organization)
    assert (refused.status_code, code_of(refused)) == (403, "INSUFFICIENT_PERMISSIONS")
