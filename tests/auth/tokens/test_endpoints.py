"""`/v1/tokens`: what it grants, to whom it shows what, and how a token ends."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from ibex.auth import ALL, ALL_RIGHTS, Permission
from ibex.ids import uuid7
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service

CHAT: dict[str, Any] = {"name": "chat", "permissions": ["chat"]}


@pytest_asyncio.fixture
async def admin(service: Service, operator: Operator) -> AsyncIterator[Api]:
    """Somebody who may do everything in the organization."""
    async with Api(service, await operator.token(service.org_id, ALL, None)) as api:
        yield api


async def person(admin: Api, role: str, permissions: list[str] | None = None) -> tuple[str, Api]:
    """A new user's id, and a client with a token of theirs."""
    user = await admin.create("/users", {"email": f"{role}-{uuid7()}@example.org", "role": role})
    permissions = permissions or ["memory:read"]
    issued = await admin.create("/tokens", {"name": role, "permissions": permissions, "user_id": user["id"]})
    return user["id"], Api(admin.service, issued["token"])


async def test_a_new_token_works_and_its_text_is_shown_once(admin: Api) -> None:
    created = await admin.create("/tokens", CHAT)
    shown = await admin.get(f"/tokens/{created['id']}")
    assert created["token"].startswith(f"ibex_pat_{created['id']}_")
    assert shown == {key: value for key, value in created.items() if key != "token"}
    assert shown["permissions"] == ["memory:read", "session:create", "session:read"]
    assert shown["state"] == "active"
    async with Api(admin.service, created["token"]) as holder:
        assert (await holder.get(f"/tokens/{created['id']}"))["name"] == "chat"
    assert created["token"].rpartition("_")[2] not in (await admin.call("GET", "/tokens")).text


async def test_sets_of_permissions_can_be_named(admin: Api) -> None:
    created = await admin.create("/tokens", {"name": "everything", "permissions": ["all"]})
    assert len(created["permissions"]) == len(Permission)
    assert not [name for name in created["permissions"] if name.startswith("platform:")]


async def test_nothing_is_granted_that_the_creator_lacks(service: Service, operator: Operator) -> None:
    few = Permission.TOKEN_CREATE | Permission.MEMORY_READ
    async with Api(service, await operator.token(service.org_id, few, None)) as api:
        await api.create("/tokens", {"name": "fine", "permissions": ["memory:read", "token:create"]})
        for permissions in (["memory:write"], ["chat"], ["all"], ["platform:organizations"]):
            answer = await api.call("POST", "/tokens", {"name": "more", "permissions": permissions})
            assert answer.status_code == 403
            assert answer.json()["error"]["code"] == "INSUFFICIENT_PERMISSIONS"


async def test_rights_over_the_installation_are_granted_by_holders_only(
    service: Service, operator: Operator, admin: Api
) -> None:
    wanted = {"name": "platform", "permissions": ["platform:organizations", "platform:validate"]}
    assert await admin.refusal("POST", "/tokens", wanted) == (403, "INSUFFICIENT_PERMISSIONS")
    issued = await operator.issue(service.org_id, ALL, None, platform=ALL_RIGHTS)
    async with Api(service, issued.text) as holder:
        assert (await holder.create("/tokens", wanted))["permissions"] == wanted["permissions"]


async def test_a_bound_token_makes_tokens_for_its_agent_only(
    service: Service, operator: Operator, admin: Api
) -> None:
    async with Api(service, await operator.token(service.org_id, ALL, "helper")) as bound:
        assert await bound.refusal("POST", "/tokens", CHAT) == (403, "INSUFFICIENT_PERMISSIONS")
        agent_id = (await admin.get("/agents/helper"))["id"]
        assert (await bound.create("/tokens", {**CHAT, "agent_id": agent_id}))["agent_id"] == agent_id


async def test_a_token_can_neither_reach_further_nor_live_longer(admin: Api) -> None:
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    creator = await admin.create(
        "/tokens",
        {
            "name": "narrow",
            "permissions": ["all"],
            "expires_at": until,
            "allowed_networks": ["127.0.0.0/8", "10.0.0.0/8"],
        },
    )
    within = {**CHAT, "expires_at": until, "allowed_networks": ["10.1.0.0/16"]}
    beyond = (
        {**within, "expires_at": None},
        {**within, "expires_at": (datetime.now(UTC) + timedelta(days=3)).isoformat()},
        {**within, "allowed_networks": []},
        {**within, "allowed_networks": ["10.1.0.0/16", "192.0.2.0/24"]},
        {**within, "allowed_networks": ["0.0.0.0/0"]},
        {**within, "allowed_networks": ["::/0"]},
    )
    async with Api(admin.service, creator["token"]) as narrow:
        assert (await narrow.create("/tokens", within))["allowed_networks"] == ["10.1.0.0/16"]
        for body in beyond:
            assert await narrow.refusal("POST", "/tokens", body) == (403, "INSUFFICIENT_PERMISSIONS"), body


async def test_a_member_makes_tokens_for_nobody_but_themselves(admin: Api) -> None:
    user_id, member = await person(admin, "member", ["token:create", "memory:read", "session:read"])
    other_id, _ = await person(admin, "member")
    body = {"name": "mine", "permissions": ["memory:read"]}
    async with member:
        assert (await member.create("/tokens", body))["user_id"] == user_id
        assert (await member.create("/tokens", {**body, "user_id": user_id}))["user_id"] == user_id
        for wanted in (None, other_id):
            refusal = await member.refusal("POST", "/tokens", {**body, "user_id": wanted})
            assert refusal == (403, "INSUFFICIENT_PERMISSIONS")


async def test_a_users_token_stays_within_the_role(admin: Api) -> None:
    user_id, _ = await person(admin, "viewer")
    body = {"name": "more", "permissions": ["memory:read", "memory:write"], "user_id": user_id}
    answer = await admin.call("POST", "/tokens", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "permissions"
    assert "`viewer`, does not have: memory:write" in answer.json()["error"]["message"]


async def test_of_all_users_only_owners_have_rights_over_the_installation(
    service: Service, operator: Operator
) -> None:
    issued = await operator.issue(service.org_id, ALL, None, platform=ALL_RIGHTS)
    async with Api(service, issued.text) as platform:
        body = {"name": "engineer", "permissions": ["platform:organizations"]}
        for role, status in (("admin", 400), ("owner", 201)):
            user_id, _ = await person(platform, role)
            answer = await platform.call("POST", "/tokens", {**body, "user_id": user_id})
            assert answer.status_code == status, answer.text
        # `user_id` is now the owner's, of whom there must be another before they can be lowered.
        await platform.create("/users", {"email": "second@example.org", "role": "owner"})
        await platform.change(f"/users/{user_id}", {"role": "admin"})
        await platform.change(f"/users/{user_id}", {"role": "owner"})
        assert (await platform.get(f"/tokens/{answer.json()['data']['id']}"))["permissions"] == []


async def test_a_malformed_token_is_refused(admin: Api) -> None:
    for field, value in [
        ("name", ""),
        ("name", "a" * 201),
        ("name", "bell\a"),
        ("name", None),
        ("permissions", []),
        ("permissions", ["memory"]),
        ("permissions", ["memory:read"] * 65),
        ("permissions", "chat"),
        ("agent_id", "helper"),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", "2050-01-01T00:00:00"),
        ("expires_at", "9999-12-31T23:59:59-23:00"),
        ("expires_at", "tomorrow"),
        ("allowed_networks", ["10.0.0.1/8"]),
        ("allowed_networks", ["fe80::%eth0/64"]),
        ("allowed_networks", ["10.0.0.0/8"] * 65),
        ("colour", "red"),
    ]:
        refusal = await admin.refusal("POST", "/tokens", {**CHAT, field: value})
        assert refusal == (400, "VALIDATION_ERROR"), field


@pytest.mark.parametrize("field", ["agent_id", "default_agent_id", "user_id"])
async def test_what_is_not_there_and_what_is_anothers_look_the_same(
    admin: Api, operator: Operator, field: str
) -> None:
    other = await operator.organization("other")
    theirs = (
        await operator.administration.users.create(operator.actor(other), "a@b.example", "", "viewer")
        if field == "user_id"
        else await operator.agent(other)
    )
    answers = [
        (await admin.call("POST", "/tokens", {**CHAT, field: str(one)})).json()["error"]
        for one in (theirs.id, uuid7())
    ]
    assert [answer["code"] for answer in answers] == ["ACCESS_DENIED"] * 2
    assert answers[0]["message"] == answers[1]["message"]


async def test_the_list_is_had_page_by_page_and_by_what_one_looks_for(admin: Api) -> None:
    agent_id = (await admin.get("/agents/helper"))["id"]
    user_id, _ = await person(admin, "member")
    bound = await admin.create("/tokens", {**CHAT, "agent_id": agent_id, "name": "bound"})
    ended = await admin.create("/tokens", CHAT)
    await admin.delete(f"/tokens/{ended['id']}")
    everything = await admin.every("/tokens")
    assert await admin.every("/tokens", limit=1) == everything
    assert [token["id"] for token in everything] == sorted(token["id"] for token in everything)
    assert bound["id"] in {token["id"] for token in await admin.every("/tokens", agent_id=agent_id)}
    assert {token["user_id"] for token in await admin.every("/tokens", user_id=user_id)} == {user_id}
    assert [token["id"] for token in await admin.every("/tokens", state="revoked")] == [ended["id"]]
    assert len(await admin.every("/tokens", state="active")) == len(everything) - 1
    assert await admin.every("/tokens", state="expired") == []


async def test_a_wrong_question_to_the_list_is_refused(admin: Api) -> None:
    for query in ["cursor=1", "limit=0", "limit=201", "state=dead", "stat=active", "limit=1&limit=2"]:
        assert await admin.refusal("GET", f"/tokens?{query}") == (400, "VALIDATION_ERROR"), query


async def test_whoever_manages_no_tokens_sees_their_own_only(admin: Api, service: Service) -> None:
    other = await admin.create("/tokens", CHAT)
    async with Api(service, service.token) as chat:
        (itself,) = await chat.every("/tokens")
        assert itself["permissions"] == ["memory:read", "session:create", "session:read"]
        assert await chat.refusal("GET", f"/tokens/{other['id']}") == (403, "ACCESS_DENIED")
        assert await chat.refusal("DELETE", f"/tokens/{other['id']}") == (403, "INSUFFICIENT_PERMISSIONS")


async def test_any_token_may_revoke_itself(admin: Api, service: Service) -> None:
    async with Api(service, service.token) as chat:
        (itself,) = await chat.every("/tokens")
        await chat.delete(f"/tokens/{itself['id']}")
        assert await chat.refusal("GET", "/tokens") == (401, "TOKEN_REVOKED")
    assert (await admin.get(f"/tokens/{itself['id']}"))["state"] == "revoked"
    # Revoking once more does no harm, and changes nothing.
    before = await admin.get(f"/tokens/{itself['id']}")
    await admin.delete(f"/tokens/{itself['id']}")
    assert await admin.get(f"/tokens/{itself['id']}") == before


async def test_a_rotated_token_goes_on_for_the_overlap(admin: Api, service: Service) -> None:
    old = await admin.create("/tokens", {**CHAT, "allowed_networks": ["127.0.0.0/8"]})
    new = await admin.create(f"/tokens/{old['id']}/rotate", {"overlap_seconds": 3_600})
    kept = ("name", "permissions", "allowed_networks", "agent_id", "user_id", "expires_at")
    assert [new[key] for key in kept] == [old[key] for key in kept]
    for text in (old["token"], new["token"]):
        async with Api(service, text) as holder:
            assert len(await holder.every("/tokens")) == 1
    shown = await admin.get(f"/tokens/{old['id']}")
    assert shown["replaced_by"] == new["id"]
    assert datetime.fromisoformat(shown["expires_at"]) < datetime.now(UTC) + timedelta(seconds=3_601)
    again = await admin.refusal("POST", f"/tokens/{old['id']}/rotate", {})
    assert again == (409, "CONFLICT")


async def test_without_an_overlap_the_old_one_ends_at_once(admin: Api, service: Service) -> None:
    old = await admin.create("/tokens", CHAT)
    expires_at = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    new = await admin.create(f"/tokens/{old['id']}/rotate", {"expires_at": expires_at})
    assert datetime.fromisoformat(new["expires_at"]) == datetime.fromisoformat(expires_at)
    async with Api(service, old["token"]) as holder:
        assert await holder.refusal("GET", "/tokens") == (401, "TOKEN_EXPIRED")


async def test_a_rotation_is_no_way_to_more(admin: Api, service: Service, operator: Operator) -> None:
    strong = await admin.create("/tokens", {"name": "strong", "permissions": ["all"]})
    _, member = await person(admin, "member", ["token:create", "memory:read"])
    weak = await admin.create("/tokens", {"name": "unbound", "permissions": ["memory:read"]})
    async with member:
        for token in (strong, weak):
            refusal = await member.refusal("POST", f"/tokens/{token['id']}/rotate", {})
            assert refusal == (403, "INSUFFICIENT_PERMISSIONS")


async def test_a_malformed_rotation_is_refused(admin: Api) -> None:
    token = await admin.create("/tokens", CHAT)
    for body in [{"overlap_seconds": -1}, {"overlap_seconds": 2_592_001}, {"overlap": 1}]:
        refusal = await admin.refusal("POST", f"/tokens/{token['id']}/rotate", body)
        assert refusal == (400, "VALIDATION_ERROR")
