"""`/v1/audit`: what it shows, to whom, and that it can be checked."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio

from ibex.auth import ALL, Actor, AuditEvent, Permission
from ibex.auth.audit import Head, record, verify_lines
from tests.operator import Operator
from tests.service import Service

READ = Permission.ORGANIZATION_SETTINGS
EXPORT = READ | Permission.TRACE_EXPORT
_SHOWN = {
    "number",
    "org_id",
    "id",
    "at",
    "actor",
    "action",
    "target",
    "outcome",
    "request_id",
    "address",
    "detail",
    "previous_hash",
    "hash",
}


@pytest_asyncio.fixture
async def auditor(service: Service, operator: Operator) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that may read and export the audit."""
    token = await operator.token(service.org_id, EXPORT, agent=None)
    async with client_of(service, token) as client:
        yield client


def client_of(service: Service, token: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=service.url, headers={"Authorization": f"Bearer {token}"}, timeout=20.0
    )


async def write(operator: Operator, org_id: UUID, count: int, action: str = "agent.pause") -> None:
    for number in range(count):
        async with operator.postgres.transaction(org_id) as connection:
            await record(connection, AuditEvent.of(Actor.local(org_id, "cli"), action, f"target-{number}"))


async def listed(client: httpx2.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_the_newest_event_comes_first_with_everything_that_is_hashed(
    service: Service, operator: Operator, auditor: httpx2.AsyncClient
) -> None:
    agent = await auditor.post("/v1/agents", json={"name": "Night shift"})
    newest, *_ = events = await listed(auditor)
    assert set(newest) == _SHOWN
    assert [event["number"] for event in events] == list(range(len(events), 0, -1))
    assert newest["action"] == "agent.create"
    assert newest["target"] == agent.json()["data"]["id"]
    assert newest["request_id"] == agent.headers["x-request-id"]
    assert newest["address"] == "127.0.0.1"
    assert newest["actor"].startswith("token:")
    assert newest["detail"] == {"slug": "night-shift"}
    assert newest["org_id"] == str(service.org_id)
    assert newest["previous_hash"] == events[1]["hash"]
    head = (await auditor.get("/v1/audit/head")).json()["data"]
    assert head == {
        "number": newest["number"],
        "hash": newest["hash"],
        "head": f"{newest['number']}:{newest['hash']}",
    }


async def test_pages_follow_one_another_without_a_gap(
    service: Service, operator: Operator, auditor: httpx2.AsyncClient
) -> None:
    await write(operator, service.org_id, 20)
    numbers: list[int] = []
    cursor: str | None = None
    while True:
        answer = await auditor.get("/v1/audit", params={"limit": 7, **({"cursor": cursor} if cursor else {})})
        body = answer.json()
        numbers += [event["number"] for event in body["data"]]
        cursor = body["pagination"]["next_cursor"]
        await write(operator, service.org_id, 1)
        if not body["pagination"]["has_more"]:
            break
    assert cursor is None
    assert numbers == list(range(numbers[0], 0, -1))
    assert numbers[0] >= 20


async def test_events_are_selected_by_what_they_are(
    service: Service, operator: Operator, auditor: httpx2.AsyncClient
) -> None:
    await write(operator, service.org_id, 3, "agent.pause")
    await write(operator, service.org_id, 2, "agent.resume")
    assert [event["action"] for event in await listed(auditor, action="agent.resume")] == ["agent.resume"] * 2
    assert {event["action"] for event in await listed(auditor, action="agent.")} == {
        "agent.create",
        "agent.pause",
        "agent.resume",
    }
    assert len(await listed(auditor, actor="cli")) == 5
    assert {event["action"] for event in await listed(auditor, target="target-0")} == {
        "agent.pause",
        "agent.resume",
    }
    assert await listed(auditor, outcome="degraded") == []
    assert len(await listed(auditor, action="agent.", actor="cli", target="target-2")) == 1
    assert await listed(auditor, action="gent.") == []


async def test_events_are_selected_by_when_they_were(
    service: Service, operator: Operator, auditor: httpx2.AsyncClient
) -> None:
    await write(operator, service.org_id, 3)
    newest, middle, *_ = await listed(auditor)
    moment = middle["at"]
    assert [e["number"] for e in await listed(auditor, since=moment)] == [newest["number"], middle["number"]]
    assert next(e["number"] for e in await listed(auditor, until=moment)) == middle["number"] - 1
    later = (datetime.fromisoformat(newest["at"]) + timedelta(hours=1)).isoformat()
    assert await listed(auditor, since=later) == []
    assert await listed(auditor, until="0001-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("", "cursor", "0"),
        ("", "cursor", "99999999999999999999"),
        ("", "cursor", "01900000-0000-7000-8000-000000000000"),
        ("", "limit", "0"),
        ("", "limit", "201"),
        ("", "outcome", "great"),
        ("", "action", "Agent"),
        ("", "action", "a" * 101),
        ("", "actor", "a\0b"),
        ("", "target", ""),
        ("", "since", "yesterday"),
        ("", "since", "2025-01-31T12:00:00"),
        ("", "until", "2025-13-31"),
        ("", "state", "x"),
        ("/export", "after", "-1"),
        ("/export", "after", "99999999999999999999"),
        ("/export", "limit", "5"),
        ("/head", "limit", "5"),
    ],
)
async def test_what_is_malformed_is_refused_and_named(
    auditor: httpx2.AsyncClient, path: str, name: str, value: str
) -> None:
    answer = await auditor.get(f"/v1/audit{path}", params={name: value})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert answer.json()["error"]["param"] == name


@pytest.mark.parametrize("target", ["Ζωή 🤖", "%", "_", "'; DROP TABLE", "a" * 200])
async def test_any_text_may_be_looked_for(auditor: httpx2.AsyncClient, target: str) -> None:
    assert await listed(auditor, target=target) == []


async def test_an_export_can_be_checked_without_the_database(
    service: Service, operator: Operator, auditor: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibex.auth.audit.service._BATCH", 10)
    await write(operator, service.org_id, 35)
    answer = await auditor.get("/v1/audit/export")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = answer.content.splitlines(keepends=True)
    head = Head.parse(answer.headers["x-ibex-audit-head"])
    verdict = verify_lines(lines, head)
    assert (verdict.head, verdict.damage) == (head, None)
    assert json.loads(lines[-1])["action"] == "audit.export"
    assert json.loads(lines[-1])["request_id"] == answer.headers["x-request-id"]
    assert str(await operator.administration.audit.head(service.org_id)) == str(head)
    altered = answer.content.replace(b"target-17", b"target-18").splitlines(keepends=True)
    assert verify_lines(altered).damage is not None


async def test_an_export_of_what_came_since_goes_on_where_the_other_ended(
    service: Service, operator: Operator, auditor: httpx2.AsyncClient
) -> None:
    first = await auditor.get("/v1/audit/export")
    await write(operator, service.org_id, 3)
    number, _, _ = first.headers["x-ibex-audit-head"].partition(":")
    second = await auditor.get("/v1/audit/export", params={"after": number})
    both = (first.content + second.content).splitlines(keepends=True)
    verdict = verify_lines(both, Head.parse(second.headers["x-ibex-audit-head"]))
    assert verdict.damage is None
    some = await auditor.get("/v1/audit/export", params={"action": "agent.pause"})
    assert [json.loads(line)["action"] for line in some.content.splitlines()] == ["agent.pause"] * 3


@pytest.mark.parametrize(
    ("path", "needed"), [("/v1/audit", READ), ("/v1/audit/head", READ), ("/v1/audit/export", EXPORT)]
)
async def test_nobody_reads_without_every_permission_that_is_needed(
    service: Service, operator: Operator, path: str, needed: Permission
) -> None:
    for permissions in (needed, ALL):
        async with client_of(service, await operator.token(service.org_id, permissions)) as client:
            assert (await client.get(path)).status_code == 200
    for bit in needed:
        async with client_of(service, await operator.token(service.org_id, ALL & ~bit)) as client:
            answer = await client.get(path)
        assert answer.status_code == 403
        assert bit.label in answer.json()["error"]["detail"]


async def test_an_export_that_was_refused_is_none_in_the_audit(
    service: Service, operator: Operator, auditor: httpx2.AsyncClient
) -> None:
    async with client_of(service, await operator.token(service.org_id, READ)) as client:
        assert (await client.get("/v1/audit/export")).status_code == 403
    assert await listed(auditor, action="audit.") == []


async def test_nobody_sees_the_audit_of_another_organization(
    service: Service, operator: Operator, auditor: httpx2.AsyncClient
) -> None:
    other = await operator.organization("globex")
    await write(operator, other, 1, "agent.canary")
    async with client_of(service, await operator.token(other, EXPORT)) as theirs:
        assert len(await listed(theirs, action="agent.canary")) == 1
    assert await listed(auditor, action="agent.canary") == []
    assert b"canary" not in (await auditor.get("/v1/audit/export")).content
    assert {event["org_id"] for event in await listed(auditor)} == {str(service.org_id)}


async def test_no_secret_is_in_any_event(
    service: Service, operator: Operator, auditor: httpx2.AsyncClient
) -> None:
    """Neither of the tokens that are made, nor of those that make them."""
    maker = await operator.token(service.org_id, ALL, agent=None)
    async with client_of(service, maker) as client:
        created = (await client.post("/v1/tokens", json={"name": "canary", "permissions": ["chat"]})).json()
        token_id = created["data"]["id"]
        rotated = await client.post(f"/v1/tokens/{token_id}/rotate", json={})
        revoked = await client.delete(f"/v1/tokens/{token_id}")
        assert (rotated.status_code, revoked.status_code) == (201, 204), rotated.text
    texts = [maker, created["data"]["token"], rotated.json()["data"]["token"], operator_token(auditor)]
    exported = (await auditor.get("/v1/audit/export")).text
    assert token_id in exported
    for text in texts:
        assert text.rpartition("_")[2] not in exported
        assert text.rpartition("_")[2][:16] not in exported


def operator_token(client: httpx2.AsyncClient) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


async def test_the_interface_describes_it(service: Service, auditor: httpx2.AsyncClient) -> None:
    document = (await auditor.get("/openapi.json")).json()
    operation = document["paths"]["/v1/audit/export"]["get"]
    assert operation["x-permissions"] == ["trace:export", "organization:settings"]
    assert list(operation["responses"]["200"]["content"]) == ["application/x-ndjson"]
    names = {parameter["name"] for parameter in document["paths"]["/v1/audit"]["get"]["parameters"]}
    assert names == {"action", "actor", "outcome", "target", "since", "until", "cursor", "limit"}
