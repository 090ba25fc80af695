"""`/v1/agents`."""

from collections.abc import AsyncIterator

import pytest_asyncio

from ibex.auth import ALL
from ibex.ids import uuid7
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service

CRAWLER = {"name": "Crawler", "description": "Crawls.", "config": {"depth": 3}}


@pytest_asyncio.fixture
async def admin(service: Service, operator: Operator) -> AsyncIterator[Api]:
    async with Api(service, await operator.token(service.org_id, ALL, None)) as api:
        yield api


async def test_an_agent_is_named_by_id_or_slug(admin: Api) -> None:
    created = await admin.create("/agents", CRAWLER)
    assert (created["slug"], created["status"], created["config"]) == ("crawler", "active", {"depth": 3})
    assert await admin.get(f"/agents/{created['id']}") == created
    assert await admin.get(f"/agents/{created['id'].upper()}") == created
    assert await admin.get("/agents/crawler") == created
    assert (await admin.do("/agents/crawler/pause"))["status"] == "paused"
    assert (await admin.do(f"/agents/{created['id']}/resume"))["status"] == "active"


async def test_what_is_given_is_changed_and_the_rest_stays(admin: Api) -> None:
    created = await admin.create("/agents", CRAWLER)
    changed = await admin.change("/agents/crawler", {"name": "Spider", "config": {"breadth": 1}})
    assert (changed["name"], changed["slug"]) == ("Spider", "crawler")
    assert (changed["description"], changed["config"]) == ("Crawls.", {"breadth": 1})
    assert changed["updated_at"] > created["updated_at"]
    assert (await admin.change("/agents/crawler", {"description": ""}))["description"] == ""
    unchanged = await admin.change("/agents/crawler", {"name": None})
    assert unchanged["name"] == "Spider"


async def test_a_malformed_agent_is_refused(admin: Api) -> None:
    for field, value in (
        ("name", ""),
        ("name", "a" * 201),
        ("name", "tab\tin it"),
        ("description", "a" * 2_001),
        ("config", {"text": "a" * (16 << 10)}),
        ("config", "depth=3"),
        ("status", "paused"),
    ):
        body = {**CRAWLER, "slug": "crawler", field: value}
        assert await admin.refusal("POST", "/agents", body) == (400, "VALIDATION_ERROR"), field
        refusal = await admin.refusal("PATCH", "/agents/helper", {field: value})
        assert refusal == (400, "VALIDATION_ERROR"), field
    for slug in ("Helper", "-", "a_b", "a" * 64, str(uuid7()), ""):
        body = {**CRAWLER, "slug": slug}
        assert await admin.refusal("POST", "/agents", body) == (400, "VALIDATION_ERROR"), slug


async def test_a_slug_that_is_taken_is_a_conflict(admin: Api) -> None:
    for body in ({"name": "Another", "slug": "helper"}, {"name": "Helper"}):
        answer = await admin.call("POST", "/agents", body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (409, "CONFLICT", "slug")
        assert [wrong["field"] for wrong in error["field_errors"]] == ["slug"]


async def test_a_configuration_has_16_kib_at_most(admin: Api) -> None:
    text = "a" * ((16 << 10) - len('{"text":""}'))
    assert (await admin.change("/agents/helper", {"config": {"text": text}}))["config"] == {"text": text}
    refusal = await admin.refusal("PATCH", "/agents/helper", {"config": {"text": text + "a"}})
    assert refusal == (400, "VALIDATION_ERROR")


async def test_agents_are_listed_page_by_page(admin: Api) -> None:
    for number in range(4):
        await admin.create("/agents", {"name": f"Agent {number}"})
    everything = await admin.every("/agents")
    assert [agent["slug"] for agent in everything] == ["helper", *(f"agent-{n}" for n in range(4))]
    for limit in (1, 2, 5, 200):
        assert await admin.every("/agents", limit=limit) == everything
    last = await admin.call("GET", "/agents", params={"cursor": everything[-1]["id"]})
    assert last.json() == {"data": [], "pagination": {"has_more": False, "next_cursor": None}}


async def test_agents_are_seen_by_every_token_and_changed_by_few(admin: Api, service: Service) -> None:
    async with Api(service, service.token) as chat:
        assert (await chat.get("/agents/helper"))["name"] == "Helper"
        for method, path, body in (
            ("POST", "/agents", CRAWLER),
            ("PATCH", "/agents/helper", {"name": "Mine"}),
            ("POST", "/agents/helper/pause", None),
            ("POST", "/agents/helper/resume", None),
        ):
            assert await chat.refusal(method, path, body) == (403, "INSUFFICIENT_PERMISSIONS")


async def test_what_is_not_there_and_what_is_anothers_look_the_same(admin: Api, operator: Operator) -> None:
    other = await operator.organization("other")
    theirs = await operator.create_agent(other, "Theirs", "theirs")
    messages = set()
    for reference in (theirs.id, "theirs", uuid7(), "nobodys"):
        for method, end, body in (
            ("GET", "", None),
            ("PATCH", "", {"name": "Mine"}),
            ("POST", "/pause", None),
            ("POST", "/resume", None),
        ):
            answer = await admin.call(method, f"/agents/{reference}{end}", body)
            error = answer.json()["error"]
            messages.add((answer.status_code, error["code"], error["message"]))
    assert len(messages) == 1
    assert {code for _, code, _ in messages} == {"ACCESS_DENIED"}
    assert (await operator.agent(other, "theirs")).name == "Theirs"
