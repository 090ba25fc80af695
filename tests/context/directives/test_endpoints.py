"""`/v1/directives`."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from ibex.auth import ALL, Permission
from ibex.ids import uuid7
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service


@pytest_asyncio.fixture
async def admin(service: Service, operator: Operator) -> AsyncIterator[Api]:
    async with Api(service, await operator.token(service.org_id, ALL, None)) as api:
        yield api


async def created(api: Api, content: str = "Be brief.", **fields: Any) -> Any:
    return await api.create("/directives", {"agent_id": "helper", "content": content, **fields})


async def promoted(api: Api, content: str = "Be brief.", **fields: Any) -> Any:
    written = await created(api, content, submit=True)
    return await api.do(f"/directives/{written['id']}/promote", fields)


async def test_from_a_draft_to_the_active_version(admin: Api) -> None:
    draft = await created(admin, "Be brief.\n", mode="user_prepend")
    assert (draft["number"], draft["status"], draft["mode"]) == (1, "draft", "user_prepend")
    assert (draft["content"], draft["size"]) == ("Be brief.\n", 10)
    assert draft["change_summary"] == "The first version."
    assert draft["created_by"].startswith("token:")
    path = f"/directives/{draft['id']}"
    assert await admin.get(path) == draft
    assert await admin.refusal("POST", f"{path}/promote", {}) == (409, "CONFLICT")
    assert (await admin.do(f"{path}/submit"))["status"] == "review"
    assert (await admin.do(f"{path}/promote", {}))["status"] == "active"
    assert await admin.refusal("POST", f"{path}/submit") == (409, "CONFLICT")


async def test_a_rollout_is_seen_raised_finished_and_aborted(admin: Api) -> None:
    assert await admin.get("/directives/rollout", agent_id="helper") == {
        "agent_id": (await admin.get("/agents/helper"))["id"],
        "active": None,
        "candidate": None,
        "kept": [],
    }
    await promoted(admin, "one")
    candidate = await promoted(admin, "two", share=0.1)
    path = f"/directives/{candidate['id']}"
    assert (await admin.do(f"{path}/promote", {"share": 0.5}))["share"] == 0.5
    state = await admin.get("/directives/rollout", agent_id="helper")
    assert (state["active"]["number"], state["candidate"]["number"]) == (1, 2)
    assert (state["candidate"]["share"], state["kept"]) == (0.5, [])
    assert "content" not in state["active"]
    assert (await admin.do(f"{path}/abort"))["share"] is None
    assert await admin.refusal("POST", f"{path}/abort") == (409, "CONFLICT")
    await admin.do(f"{path}/promote", {})
    state = await admin.get("/directives/rollout", agent_id="helper")
    assert (state["active"]["number"], [kept["number"] for kept in state["kept"]]) == (2, [1])


async def test_a_rollback_and_a_revocation(admin: Api) -> None:
    versions = [await promoted(admin, text) for text in ("one", "two", "three")]
    assert (await admin.do("/directives/rollback", {"agent_id": "helper"}))["number"] == 2
    assert (await admin.do("/directives/rollback", {"agent_id": "helper", "to": 3}))["number"] == 3
    refusal = await admin.refusal("POST", "/directives/rollback", {"agent_id": "helper", "to": 3})
    assert refusal == (409, "CONFLICT")
    refusal = await admin.refusal("POST", "/directives/rollback", {"agent_id": "helper", "to": 9})
    assert refusal == (403, "ACCESS_DENIED")
    revoked = await admin.do(f"/directives/{versions[2]['id']}/revoke")
    assert (revoked["status"], revoked["revoked_at"] is not None) == ("revoked", True)
    assert (await admin.get(f"/directives/{versions[1]['id']}"))["status"] == "active"
    refusal = await admin.refusal("POST", f"/directives/{versions[2]['id']}/promote", {})
    assert refusal == (409, "CONFLICT")


async def test_a_difference(admin: Api) -> None:
    first, second = await created(admin, "one\ntwo\n"), await created(admin, "one\n2\n")
    shown = await admin.get(f"/directives/{second['id']}/diff")
    assert (shown["before"]["number"], shown["after"]["number"]) == (1, 2)
    assert (shown["added"], shown["removed"]) == (1, 1)
    assert shown["diff"] == "--- version 1\n+++ version 2\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    back = await admin.get(f"/directives/{first['id']}/diff", against=second["id"])
    assert "+two\n" in back["diff"]
    alone = await admin.get(f"/directives/{first['id']}/diff")
    assert (alone["before"], alone["added"]) == (None, 2)
    refusal = await admin.refusal("GET", f"/directives/{first['id']}/diff", params={"against": str(uuid7())})
    assert refusal == (403, "ACCESS_DENIED")


async def test_versions_are_listed_page_by_page(admin: Api) -> None:
    await admin.create("/agents", {"name": "Other"})
    for number in range(3):
        await created(admin, f"{number}")
    await created(admin, "of the other", agent_id="other")
    everything = await admin.every("/directives", limit=1)
    assert [entry["number"] for entry in everything] == [1, 2, 3, 1]
    assert all("content" not in entry for entry in everything)
    of_helper = await admin.every("/directives", agent_id="helper", limit=2)
    assert [entry["number"] for entry in of_helper] == [1, 2, 3]
    await admin.do(f"/directives/{everything[1]['id']}/submit")
    in_review = await admin.every("/directives", status="review")
    assert [entry["id"] for entry in in_review] == [everything[1]["id"]]


async def test_what_is_malformed_is_refused(admin: Api) -> None:
    there = await created(admin)
    for body in (
        {},
        {"content": None},
        {"content": ""},
        {"content": "a\u0007b"},
        {"content": "a\u0000b"},
        {"content": "🦌" * 8_193},
        {"content": "x", "mode": "middle"},
        {"content": "x", "change_summary": "x" * 2_001},
        {"content": "x", "submit": "perhaps"},
        {"content": "x", "status": "active"},
    ):
        refusal = await admin.refusal("POST", "/directives", {"agent_id": "helper", **body})
        assert refusal == (400, "VALIDATION_ERROR"), body
    for share in ({"share": -1}, {"share": 1.1}, {"share": "half"}, {"share": 0.5, "at_once": True}):
        refusal = await admin.refusal("POST", f"/directives/{there['id']}/promote", share)
        assert refusal == (400, "VALIDATION_ERROR"), share
    for to in (0, -1, 2**31, "two"):
        refusal = await admin.refusal("POST", "/directives/rollback", {"agent_id": "helper", "to": to})
        assert refusal == (400, "VALIDATION_ERROR"), to
    assert await admin.refusal("POST", "/directives", {"content": "x"}) == (400, "MISSING_AGENT_ID")
    assert await admin.refusal("GET", "/directives/rollout") == (400, "MISSING_AGENT_ID")
    assert await admin.refusal("GET", "/directives/first") == (400, "VALIDATION_ERROR")


async def test_the_longest_text_comes_back(admin: Api) -> None:
    for content in ("🦌" * 8_192, "{\n" * 16_384, '<a b="&amp;">{{x}}</a>'):
        assert (await created(admin, content))["content"] == content


async def test_a_bound_token_reaches_its_own_agent_alone(
    admin: Api, service: Service, operator: Operator
) -> None:
    await operator.create_agent(service.org_id, "Other", "other")
    own = await created(admin)
    foreign = await created(admin, agent_id="other")
    async with Api(service, await operator.token(service.org_id, ALL, "helper")) as bound:
        assert (await bound.create("/directives", {"content": "x"}))["agent_id"] == own["agent_id"]
        assert {entry["agent_id"] for entry in await bound.every("/directives")} == {own["agent_id"]}
        assert (await bound.get("/directives/rollout"))["agent_id"] == own["agent_id"]
        for method, path, body in (
            ("GET", f"/directives/{foreign['id']}", None),
            ("POST", f"/directives/{foreign['id']}/submit", None),
            ("POST", f"/directives/{foreign['id']}/promote", {}),
            ("POST", f"/directives/{foreign['id']}/revoke", None),
            ("POST", "/directives", {"agent_id": "other", "content": "x"}),
            ("POST", "/directives/rollback", {"agent_id": "other"}),
            ("GET", "/directives?agent_id=other", None),
            ("GET", f"/directives/{own['id']}/diff?against={foreign['id']}", None),
        ):
            assert await bound.refusal(method, path, body) == (403, "AGENT_NOT_AUTHORIZED"), path
    assert (await admin.get(f"/directives/{foreign['id']}"))["status"] == "draft"


async def test_who_writes_need_not_be_who_promotes(admin: Api, service: Service, operator: Operator) -> None:
    writer = Permission.DIRECTIVE_READ | Permission.DIRECTIVE_WRITE
    async with Api(service, await operator.token(service.org_id, writer)) as api:
        written = await api.create("/directives", {"content": "Be brief.", "submit": True})
        for action, permission in (
            ("promote", "directive:promote"),
            ("abort", "directive:promote"),
            ("revoke", "directive:revoke"),
        ):
            answer = await api.call("POST", f"/directives/{written['id']}/{action}", {})
            assert answer.status_code == 403
            assert permission in answer.json()["error"]["detail"]
        assert (await admin.do(f"/directives/{written['id']}/promote", {}))["status"] == "active"
