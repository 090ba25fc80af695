"""`/v1/organizations`: the own one, and all of them for whoever runs the installation."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest_asyncio

from ibex.auth import ALL, ALL_RIGHTS, NO_PERMISSION, PlatformRight
from ibex.auth.roles import ROLES
from ibex.ids import uuid7
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service


@pytest_asyncio.fixture
async def platform(service: Service, operator: Operator) -> AsyncIterator[Api]:
    """Somebody who runs the installation, with no permission in their own organization."""
    home = await operator.organization("platform-team")
    issued = await operator.issue(home, NO_PERMISSION, None, platform=PlatformRight.ORGANIZATIONS)
    async with Api(service, issued.text) as api:
        yield api


@pytest_asyncio.fixture
async def owner(service: Service, operator: Operator) -> AsyncIterator[Api]:
    """Somebody with every permission in the service's organization."""
    async with Api(service, await operator.token(service.org_id, ALL, None)) as api:
        yield api


async def actions(database: Database, org_id: object) -> list[str]:
    """What the audit of an organization has, in order."""
    async with await psycopg.AsyncConnection.connect(database.superuser_dsn) as connection:
        cursor = await connection.execute(
            "SELECT action FROM ibex.audit_events WHERE org_id = %s AND outcome = 'success' ORDER BY number",
            (org_id,),
        )
        return [str(row[0]) for row in await cursor.fetchall()]


async def test_everybody_sees_their_own_organization(service: Service) -> None:
    async with Api(service, service.token) as chat:
        own = await chat.get("/organizations/me")
    assert own["id"] == str(service.org_id)
    assert (own["slug"], own["status"], own["delete_after"]) == ("acme", "active", None)


async def test_settings_are_changed_by_those_who_may(owner: Api, service: Service) -> None:
    choices = {
        "name": "Acme Inc.",
        "allows_caller_keys": True,
        "memory_pii": "quarantine",
        "memory_capture": False,
    }
    changed = await owner.change("/organizations/me", choices)
    assert {name: changed[name] for name in choices} == choices
    [event] = await owner.get("/audit", action="organization.update")
    assert event["detail"] == choices
    assert await owner.change("/organizations/me", {}) == changed
    for wrong in (
        {"name": ""},
        {"name": "a\0b"},
        {"slug": "other"},
        {"allows_caller_keys": "yes"},
        {"memory_pii": "keep"},
        {"memory_capture": "no"},
    ):
        assert await owner.refusal("PATCH", "/organizations/me", wrong) == (400, "VALIDATION_ERROR")
    async with Api(service, service.token) as chat:
        refusal = await chat.refusal("PATCH", "/organizations/me", {"name": "Mine"})
        assert refusal == (403, "INSUFFICIENT_PERMISSIONS")


async def test_an_admin_cannot_delete_the_organization(service: Service, operator: Operator) -> None:
    async with Api(service, await operator.token(service.org_id, ROLES["admin"], None)) as admin:
        refusal = await admin.refusal("DELETE", "/organizations/me")
        assert refusal == (403, "INSUFFICIENT_PERMISSIONS")


async def test_a_deleted_organization_can_be_resumed_within_the_grace_period(
    owner: Api, platform: Api, service: Service
) -> None:
    answer = await owner.call("DELETE", "/organizations/me")
    assert answer.status_code == 200
    deleted = answer.json()["data"]
    assert deleted["status"] == "deleting"
    grace = datetime.fromisoformat(deleted["delete_after"]) - datetime.now(UTC)
    assert timedelta(days=29) < grace <= timedelta(days=30)
    await until(lambda: _is_refused(owner), seconds=1.0)
    # Deleting it once more does not put it off, and suspending it would not save it.
    again = await platform.call("DELETE", f"/organizations/{service.org_id}")
    assert again.json()["data"]["delete_after"] == deleted["delete_after"]
    refusal = await platform.refusal("POST", f"/organizations/{service.org_id}/suspend")
    assert refusal == (409, "CONFLICT")
    resumed = await platform.do(f"/organizations/{service.org_id}/resume")
    assert (resumed["status"], resumed["delete_after"]) == ("active", None)
    await until(lambda: _is_let_in(owner), seconds=1.0)


async def test_after_the_grace_period_nothing_brings_it_back(
    database: Database, owner: Api, platform: Api, service: Service
) -> None:
    await owner.call("DELETE", "/organizations/me")
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.organizations SET delete_after = now() WHERE status = 'deleting'")
    refusal = await platform.refusal("POST", f"/organizations/{service.org_id}/resume")
    assert refusal == (409, "CONFLICT")


async def test_a_new_team_can_make_its_first_call(
    platform: Api, service: Service, database: Database
) -> None:
    founded = await platform.create(
        "/organizations", {"name": "Search team", "owner_email": "ada@example.org"}
    )
    assert (founded["slug"], founded["status"]) == ("search-team", "active")
    async with service.openai(api_key=founded["token"]) as client:
        answer = await client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello!"}]
        )
    assert answer.choices
    async with Api(service, founded["token"]) as team:
        assert (await team.get("/organizations/me"))["id"] == founded["id"]
        (agent,) = await team.every("/agents")
        (user,) = await team.every("/users")
        (token,) = await team.every("/tokens")
        assert (agent["id"], agent["slug"]) == (founded["agent_id"], "default")
        assert (user["id"], user["email"], user["role"]) == (founded["owner_id"], "ada@example.org", "owner")
        assert (token["id"], token["user_id"]) == (founded["token_id"], founded["owner_id"])
        assert token["default_agent_id"] == agent["id"]
        assert not [name for name in token["permissions"] if name.startswith("platform:")]
        assert await team.refusal("GET", "/organizations") == (403, "INSUFFICIENT_PERMISSIONS")
    made = await actions(database, founded["id"])
    assert made == ["organization.create", "agent.create", "user.create", "token.create"]
    home = (await platform.get("/organizations/me"))["id"]
    assert "organization.create" in (await actions(database, home))[1:]


async def test_without_an_owner_the_first_token_belongs_to_nobody(platform: Api) -> None:
    founded = await platform.create("/organizations", {"name": "Ranking", "slug": "rank"})
    assert (founded["slug"], founded["owner_id"]) == ("rank", None)


async def test_an_organization_that_cannot_be_made_leaves_nothing(platform: Api) -> None:
    before = await platform.every("/organizations")
    for body in [
        {"name": ""},
        {"name": "x", "slug": "Not A Slug"},
        {"name": "x", "owner_email": "nobody"},
        {"name": "日本"},
        {},
    ]:
        assert await platform.refusal("POST", "/organizations", body) == (400, "VALIDATION_ERROR")
    wrong = await platform.call("POST", "/organizations", {"name": "x", "owner_email": "nobody"})
    assert wrong.json()["error"]["param"] == "owner_email"
    for body in ({"name": "Acme", "slug": "acme"}, {"name": "Acme"}):
        assert await platform.refusal("POST", "/organizations", body) == (409, "CONFLICT")
    assert await platform.every("/organizations") == before


async def test_organizations_are_listed_page_by_page(platform: Api) -> None:
    made = [await platform.create("/organizations", {"name": f"Team {n}"}) for n in range(5)]
    listed = await platform.every("/organizations", limit=2)
    assert [one["id"] for one in listed][-5:] == [one["id"] for one in made]
    assert listed == await platform.every("/organizations")
    assert len(listed) == 7
    assert all("token" not in one for one in listed)


async def test_a_suspended_organization_is_refused_until_it_is_resumed(
    owner: Api, platform: Api, service: Service, database: Database
) -> None:
    assert (await platform.do(f"/organizations/{service.org_id}/suspend"))["status"] == "suspended"
    await until(lambda: _is_refused(owner), seconds=1.0)
    assert (await platform.get(f"/organizations/{service.org_id}"))["status"] == "suspended"
    renamed = await platform.change(f"/organizations/{service.org_id}", {"name": "Acme, suspended"})
    assert renamed["name"] == "Acme, suspended"
    await platform.do(f"/organizations/{service.org_id}/resume")
    await until(lambda: _is_let_in(owner), seconds=1.0)
    home = (await platform.get("/organizations/me"))["id"]
    done = ["organization.suspend", "organization.update", "organization.resume"]
    for org_id in (service.org_id, home):
        assert (await actions(database, org_id))[-3:] == done


async def test_without_the_right_no_id_makes_a_difference(
    owner: Api, service: Service, platform: Api
) -> None:
    home = (await platform.get("/organizations/me"))["id"]
    answers = set()
    for org_id in (service.org_id, home, uuid7(), "no-id"):
        for method, end, body in (
            ("GET", "", None),
            ("PATCH", "", {"name": "x"}),
            ("POST", "/suspend", None),
            ("POST", "/resume", None),
            ("DELETE", "", None),
        ):
            answer = await owner.call(method, f"/organizations/{org_id}{end}", body)
            error = answer.json()["error"]
            answers.add((answer.status_code, error["code"], error["message"], error["detail"]))
    assert answers == {
        (
            403,
            "INSUFFICIENT_PERMISSIONS",
            "The token lacks a permission that this call needs.",
            "Missing: platform:organizations.",
        )
    }
    for method in ("GET", "POST"):
        assert await owner.refusal(method, "/organizations") == (403, "INSUFFICIENT_PERMISSIONS")


async def test_an_organization_that_is_not_there(platform: Api) -> None:
    for method, end, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("POST", "/suspend", None),
        ("POST", "/resume", None),
        ("DELETE", "", None),
    ):
        refusal = await platform.refusal(method, f"/organizations/{uuid7()}{end}", body)
        assert refusal == (403, "ACCESS_DENIED")


async def test_the_last_organization_with_rights_over_the_installation_stays(
    platform: Api, operator: Operator
) -> None:
    home = (await platform.get("/organizations/me"))["id"]
    for method, end in (("POST", "/suspend"), ("DELETE", "")):
        assert await platform.refusal(method, f"/organizations/{home}{end}") == (409, "CONFLICT")
    second = await operator.organization("second")
    expired = datetime.now(UTC) + timedelta(seconds=0.1)
    for fields in ({"platform": PlatformRight.VALIDATE}, {"platform": ALL_RIGHTS, "expires_at": expired}):
        await operator.issue(second, ALL, None, **fields)
    await until(lambda: datetime.now(UTC) > expired)
    assert await platform.refusal("DELETE", f"/organizations/{home}") == (409, "CONFLICT")
    await operator.issue(second, ALL, None, platform=ALL_RIGHTS)
    assert (await platform.do(f"/organizations/{home}/suspend"))["status"] == "suspended"


async def test_two_organizations_cannot_suspend_each_other_at_once(
    service: Service, operator: Operator
) -> None:
    for attempt in range(5):
        pair = []
        for side in ("left", "right"):
            org_id = await operator.organization(f"{side}-{attempt}")
            issued = await operator.issue(org_id, NO_PERMISSION, None, platform=PlatformRight.ORGANIZATIONS)
            pair.append((org_id, Api(service, issued.text)))
        (left, of_left), (right, of_right) = pair
        async with of_left, of_right:
            answers = await asyncio.gather(
                of_left.call("POST", f"/organizations/{right}/suspend"),
                of_right.call("POST", f"/organizations/{left}/suspend"),
            )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 200
        assert statuses[1] in {403, 409}
        await _suspend_all(operator, [left, right])


async def test_the_right_to_ask_is_not_the_right_to_change(service: Service, operator: Operator) -> None:
    issued = await operator.issue(service.org_id, ALL, None, platform=PlatformRight.VALIDATE)
    async with Api(service, issued.text) as caller:
        assert await caller.refusal("GET", "/organizations") == (403, "INSUFFICIENT_PERMISSIONS")


async def test_the_right_over_the_installation_opens_no_other_organization(
    platform: Api, service: Service
) -> None:
    """Not its users, tokens or agents: whoever needs that creates the team's token at the beginning."""
    assert await platform.refusal("GET", "/users") == (403, "INSUFFICIENT_PERMISSIONS")
    (itself,) = await platform.every("/tokens")
    assert itself["permissions"] == ["platform:organizations"]
    assert await platform.every("/agents") != []
    assert str(service.org_id) not in str(await platform.every("/agents"))


async def _suspend_all(operator: Operator, org_ids: list[UUID]) -> None:
    """So that the next pair is alone again: by hand, because the last one cannot be suspended."""
    for org_id in org_ids:
        async with operator.postgres.transaction(org_id) as connection:
            await connection.execute("UPDATE ibex.organizations SET status = 'suspended'")


async def _is_refused(api: Api) -> bool:
    answer = await api.call("GET", "/organizations/me")
    return answer.status_code == 403 and answer.json()["error"]["code"] == "ORGANIZATION_SUSPENDED"


async def _is_let_in(api: Api) -> bool:
    return (await api.call("GET", "/organizations/me")).status_code == 200
