"""`/v1/users`: who may give and take which role, and that an owner is left."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import ALL, CHAT, Permission
from ibex.auth.roles import ROLES, Role
from ibex.ids import uuid7
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service

ADA = {"email": "ada@example.org", "name": "Ada Lovelace", "role": "member"}


@pytest_asyncio.fixture
async def owner(service: Service, operator: Operator) -> AsyncIterator[Api]:
    """Somebody with every permission, who is no user."""
    async with Api(service, await operator.token(service.org_id, ALL, None)) as api:
        yield api


async def with_role(service: Service, operator: Operator, role: Role) -> Api:
    """A client whose token has just what a role has."""
    return Api(service, await operator.token(service.org_id, ROLES[role], None))


async def test_a_user_is_created_shown_changed_and_listed(owner: Api) -> None:
    created = await owner.create("/users", ADA)
    assert {key: created[key] for key in ADA} == ADA
    assert created["status"] == "active"
    changed = await owner.change(f"/users/{created['id']}", {"name": "Ada", "email": "Ada.L@Example.ORG"})
    assert (changed["name"], changed["email"], changed["role"]) == ("Ada", "ada.l@example.org", "member")
    assert await owner.get(f"/users/{created['id']}") == changed
    assert await owner.every("/users") == [changed]


async def test_users_are_listed_page_by_page(owner: Api) -> None:
    created = [await owner.create("/users", {"email": f"u{n}@example.org"}) for n in range(5)]
    assert [user["id"] for user in await owner.every("/users", limit=2)] == [user["id"] for user in created]
    await owner.do(f"/users/{created[1]['id']}/suspend")
    await owner.delete(f"/users/{created[2]['id']}")
    assert len(await owner.every("/users")) == 4
    for status, number in (("suspended", 1), ("removed", 2)):
        assert [user["id"] for user in await owner.every("/users", status=status)] == [created[number]["id"]]


async def test_an_address_has_one_spelling(owner: Api) -> None:
    for written, kept in [
        (" Ada@Example.ORG ", "ada@example.org"),
        ("o'neill+ibex@mail.example.org", "o'neill+ibex@mail.example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ]:
        assert (await owner.create("/users", {"email": written}))["email"] == kept
        assert await owner.refusal("POST", "/users", {"email": kept.upper()}) == (409, "CONFLICT")


async def test_an_address_that_is_taken_is_a_conflict(owner: Api) -> None:
    await owner.create("/users", ADA)
    other = await owner.create("/users", {"email": "grace@example.org"})
    for method, path in (("POST", "/users"), ("PATCH", f"/users/{other['id']}")):
        answer = await owner.call(method, path, {"email": ADA["email"]})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (409, "CONFLICT", "email")


async def test_what_is_no_address_is_refused(owner: Api) -> None:
    for email in [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@example",
        "ada@@example.org",
        "a b@example.org",
        "ada@-example.org",
        "ada@example..org",
        ".ada@example.org",
        "ada@exa mple.org",
        "ada\n@example.org",
        f"{'a' * 65}@example.org",
        f"ada@{'a.' * 130}org",
        "\u0430da@example.org",
    ]:
        answer = await owner.call("POST", "/users", {"email": email})
        assert answer.status_code == 400, email
        assert answer.json()["error"]["param"] == "email"


async def test_another_organization_may_have_the_same_address(owner: Api, operator: Operator) -> None:
    other = await operator.organization("other")
    await operator.administration.users.create(operator.actor(other), ADA["email"], "", "viewer")
    await owner.create("/users", ADA)


async def test_users_are_the_business_of_those_who_administer_them(service: Service) -> None:
    async with Api(service, service.token) as chat:
        for method, path, body in (
            ("GET", "/users", None),
            ("POST", "/users", ADA),
            ("GET", f"/users/{uuid7()}", None),
            ("PATCH", f"/users/{uuid7()}", {"role": "owner"}),
            ("POST", f"/users/{uuid7()}/suspend", None),
            ("DELETE", f"/users/{uuid7()}", None),
        ):
            assert await chat.refusal(method, path, body) == (403, "INSUFFICIENT_PERMISSIONS")


async def test_another_organizations_user_is_not_there(owner: Api, operator: Operator) -> None:
    other = await operator.organization("other")
    theirs = await operator.administration.users.create(operator.actor(other), "x@example.org", "", "viewer")
    for method, end, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "mine"}),
        ("POST", "/suspend", None),
        ("POST", "/resume", None),
        ("DELETE", "", None),
    ):
        for user_id in (theirs.id, uuid7()):
            refusal = await owner.refusal(method, f"/users/{user_id}{end}", body)
            assert refusal == (403, "ACCESS_DENIED")
    assert (await operator.administration.users.get(other, theirs.id)).name == ""


async def test_an_admin_can_neither_make_nor_touch_an_owner(
    owner: Api, service: Service, operator: Operator
) -> None:
    boss = await owner.create("/users", {"email": "boss@example.org", "role": "owner"})
    await owner.create("/users", {"email": "second@example.org", "role": "owner"})
    async with await with_role(service, operator, "admin") as admin:
        member = await admin.create("/users", ADA)
        for method, path, body in (
            ("POST", "/users", {"email": "x@example.org", "role": "owner"}),
            ("PATCH", f"/users/{member['id']}", {"role": "owner"}),
            ("PATCH", f"/users/{boss['id']}", {"role": "viewer"}),
            ("PATCH", f"/users/{boss['id']}", {"email": "mine@example.org"}),
            ("POST", f"/users/{boss['id']}/suspend", None),
            ("POST", f"/users/{boss['id']}/resume", None),
            ("DELETE", f"/users/{boss['id']}", None),
        ):
            assert await admin.refusal(method, path, body) == (403, "INSUFFICIENT_PERMISSIONS"), (
                method,
                path,
            )
        for role in ("admin", "viewer", "member"):
            assert (await admin.change(f"/users/{member['id']}", {"role": role}))["role"] == role


async def test_nobody_gives_a_role_with_permissions_that_they_lack(
    service: Service, operator: Operator
) -> None:
    """`admin:users` alone is not enough to make a viewer, who may read memories."""
    token = await operator.token(service.org_id, Permission.ADMIN_USERS, None)
    async with Api(service, token) as clerk:
        answer = await clerk.call("POST", "/users", {"email": "v@example.org", "role": "viewer"})
        assert answer.status_code == 403
        assert "memory:read" in answer.json()["error"]["detail"]


@pytest.mark.parametrize("way", ["lower", "suspend", "remove"])
async def test_the_last_active_owner_stays(owner: Api, way: str) -> None:
    last = await owner.create("/users", {"email": "last@example.org", "role": "owner"})
    resting = await owner.create("/users", {"email": "resting@example.org", "role": "owner"})
    await owner.do(f"/users/{resting['id']}/suspend")
    method, end, body = {
        "lower": ("PATCH", "", {"role": "admin"}),
        "suspend": ("POST", "/suspend", None),
        "remove": ("DELETE", "", None),
    }[way]
    assert await owner.refusal(method, f"/users/{last['id']}{end}", body) == (409, "CONFLICT")
    assert (await owner.get(f"/users/{last['id']}"))["status"] == "active"
    # Whoever is suspended is no owner that counts, and may go.
    await owner.delete(f"/users/{resting['id']}")
    await owner.create("/users", {"email": "next@example.org", "role": "owner"})
    assert (await owner.call(method, f"/users/{last['id']}{end}", body)).status_code < 300


async def test_two_owners_cannot_remove_each_other_at_once(
    owner: Api, service: Service, operator: Operator
) -> None:
    before = None
    for attempt in range(8):
        pair = [
            await owner.create("/users", {"email": f"{side}-{attempt}@example.org", "role": "owner"})
            for side in ("left", "right")
        ]
        if before is not None:
            await owner.delete(f"/users/{before}")
        answers = await asyncio.gather(
            owner.call("DELETE", f"/users/{pair[0]['id']}"),
            owner.call("PATCH", f"/users/{pair[1]['id']}", {"role": "admin"}),
        )
        assert sorted(answer.status_code >= 400 for answer in answers) == [False, True]
        active = await owner.every("/users", status="active")
        (before,) = [user["id"] for user in active if user["role"] == "owner"]


async def test_lowering_suspending_and_resuming_hold_for_tokens_within_a_second(
    owner: Api, service: Service
) -> None:
    user = await owner.create("/users", ADA)
    issued = await owner.create(
        "/tokens",
        {"name": "ada", "permissions": ["chat", "token:create"], "user_id": user["id"]},
    )

    async with Api(service, issued["token"]) as ada:

        async def is_told(code: str | None) -> bool:
            answer = await ada.call("POST", "/tokens", {"name": "x", "permissions": ["memory:read"]})
            found = answer.json()["error"]["code"] if answer.status_code >= 400 else None
            return bool(found == code)

        assert await is_told(None)
        await owner.change(f"/users/{user['id']}", {"role": "viewer"})
        await until(lambda: is_told("INSUFFICIENT_PERMISSIONS"), seconds=1.0)
        await owner.change(f"/users/{user['id']}", {"role": "member"})
        await until(lambda: is_told(None), seconds=1.0)
        await owner.do(f"/users/{user['id']}/suspend")
        await until(lambda: is_told("USER_SUSPENDED"), seconds=1.0)
        await owner.do(f"/users/{user['id']}/resume")
        await until(lambda: is_told(None), seconds=1.0)


async def test_whoever_is_removed_leaves_an_id_and_nothing_else(
    owner: Api, service: Service, database: Database
) -> None:
    user = await owner.create("/users", ADA)
    issued = await owner.create(
        "/tokens", {"name": "hers", "permissions": ["memory:read"], "user_id": user["id"]}
    )
    await owner.delete(f"/users/{user['id']}")
    async with Api(service, issued["token"]) as ada:
        status, code = await ada.refusal("GET", "/tokens")
    assert (status, code) == (401, "TOKEN_REVOKED")
    shown = await owner.get(f"/users/{user['id']}")
    assert (shown["email"], shown["name"], shown["status"]) == (None, "", "removed")
    assert (await owner.get(f"/tokens/{issued['id']}"))["state"] == "revoked"
    with psycopg.connect(database.superuser_dsn) as connection:
        for table in ("users", "audit_events"):
            rows = str(connection.execute(f"SELECT * FROM ibex.{table}").fetchall())
            assert "ada@" not in rows
            assert "Lovelace" not in rows
    # Once more does no harm; nothing else can be done; the address is free.
    await owner.delete(f"/users/{user['id']}")
    for method, end, body in (("PATCH", "", {"name": "x"}), ("POST", "/resume", None)):
        assert await owner.refusal(method, f"/users/{user['id']}{end}", body) == (409, "CONFLICT")
    token = {"name": "x", "permissions": ["memory:read"], "user_id": user["id"]}
    assert await owner.refusal("POST", "/tokens", token) == (403, "ACCESS_DENIED")
    await owner.create("/users", ADA)


async def test_a_users_token_does_what_both_token_and_role_allow(owner: Api, service: Service) -> None:
    user = await owner.create("/users", {"email": "v@example.org", "role": "member"})
    issued = await owner.create("/tokens", {"name": "v", "permissions": ["chat"], "user_id": user["id"]})
    async with service.openai(api_key=issued["token"]) as client:
        await client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "Hello!"}],
            extra_headers={"X-IBEX-Agent-ID": "helper"},
        )
    assert ROLES["member"] & CHAT == CHAT
    assert ROLES["viewer"] & CHAT != CHAT
