"""`/v1/traces` and `/v1/usage`, as a client sees them."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest_asyncio

from ibex.auth import ALL, Permission
from ibex.ids import uuid7
from ibex.traces.reading import service
from ibex.traces.store import PostgresTraces
from ibex.traces.trace import Trace
from tests.fixtures import Database
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service
from tests.traces.conftest import trace

NOW = datetime.now(UTC) - timedelta(minutes=1)


@dataclass(slots=True)
class Desk:
    """Somebody who may do everything in an organization with two agents, `helper` and `other`."""

    service: Service
    operator: Operator
    database: Database
    api: Api
    helper_id: UUID
    other_id: UUID

    async def put(self, *traces: Trace) -> None:
        await PostgresTraces(self.operator.postgres).insert({self.service.org_id: traces})

    def trace(self, **fields: Any) -> Trace:
        return trace(self.service.org_id, self.helper_id, **{"at": NOW, **fields})

    def others(self, **fields: Any) -> Trace:
        return trace(self.service.org_id, self.other_id, **{"at": NOW, **fields})


@pytest_asyncio.fixture
async def desk(service: Service, operator: Operator, database: Database) -> AsyncIterator[Desk]:
    helper = await operator.agent(service.org_id)
    other = await operator.create_agent(service.org_id, "Other", "other")
    token = await operator.token(service.org_id, ALL, agent=None)
    async with Api(service, token) as api:
        yield Desk(service, operator, database, api, helper.id, other.id)


async def test_a_call_is_shown_by_the_id_of_its_request_or_of_its_trace(desk: Desk) -> None:
    made = desk.trace(trace_id=uuid7().hex)
    await desk.put(made)

    for reference in (made.id, UUID(made.trace_id)):
        shown = await desk.api.get(f"/traces/{reference}")
        assert shown["id"] == str(made.id)
        assert shown["cost_usd"] == 0.000024
        assert shown["steps_ms"] == {"auth": 0.25, "context": 4.5, "provider": 250.0}
        assert shown["memory_ids"] == [str(UUID(int=1)), str(UUID(int=2))]
        assert shown["tools"] == ["search", "search", "answer"]


async def test_a_list_is_had_page_by_page_with_filters(desk: Desk) -> None:
    wanted = [desk.trace(at=NOW - timedelta(seconds=n // 2), status=503) for n in range(5)]
    await desk.put(*wanted, desk.trace(), desk.others(status=503))

    found = await desk.api.every("/traces", agent_id="helper", status="5xx", limit=2)

    assert [each["id"] for each in found] == [
        str(each.id) for each in sorted(wanted, key=lambda each: (each.at, each.id), reverse=True)
    ]


async def test_a_cursor_of_another_list_is_refused(desk: Desk) -> None:
    await desk.put(desk.trace(), desk.trace())
    page = (await desk.api.call("GET", "/traces", params={"limit": 1})).json()
    cursor = page["pagination"]["next_cursor"]
    other_org = await desk.operator.organization("other")
    async with Api(desk.service, await desk.operator.token(other_org, ALL)) as stranger:
        for api, sent in ((stranger, cursor), (desk.api, cursor[:-2]), (desk.api, "x" * 40)):
            assert await api.refusal("GET", "/traces", params={"cursor": sent}) == (400, "VALIDATION_ERROR")


async def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    for path, query in (
        ("/traces", {"status": "200"}),
        ("/traces", {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
        ("/traces", {"since": "0001-01-01T00:00:00Z"}),
        ("/traces", {"min_latency_ms": "nan"}),
        ("/traces/overview", {"bucket": "minute", "since": "2026-01-01T00:00:00Z"}),
        ("/traces/export", {"format": "xlsx"}),
        ("/usage", {"since": "2026-01-02", "until": "2026-01-01"}),
    ):
        assert await desk.api.refusal("GET", path, params=query) == (400, "VALIDATION_ERROR"), (path, query)


async def test_a_token_of_an_agent_sees_that_agents_traces_alone(desk: Desk) -> None:
    mine, other = desk.trace(), desk.others()
    await desk.put(mine, other)
    async with Api(desk.service, await desk.operator.token(desk.service.org_id, ALL)) as bound:
        assert [each["id"] for each in await bound.every("/traces")] == [str(mine.id)]
        assert (await bound.get("/traces/overview"))["total"]["calls"] == 1
        assert [each["agent_id"] for each in (await bound.get("/traces/costs"))["costs"]] == [
            str(desk.helper_id)
        ]
        assert (await bound.get("/traces/memory"))["calls"] == 1
        assert {each["calls"] for each in (await bound.get("/traces/latency"))["steps"]} == {1}
        exported = await bound.call("GET", "/traces/export")
        assert [orjson.loads(line)["id"] for line in exported.content.splitlines()] == [str(mine.id)]
        refused = (403, "AGENT_NOT_AUTHORIZED")
        assert await bound.refusal("GET", f"/traces/{other.id}") == refused
        shared = uuid7()
        await desk.put(desk.others(trace_id=shared.hex), desk.trace(trace_id=shared.hex, model="own"))
        assert (await bound.get(f"/traces/{shared}"))["model"] == "own"
        for path in ("/traces", "/traces/overview", "/traces/export", "/usage"):
            assert await bound.refusal("GET", path, params={"agent_id": "other"}) == refused


async def test_another_organizations_traces_are_as_if_they_were_not_there(desk: Desk) -> None:
    mine = desk.trace()
    await desk.put(mine)
    other_org = await desk.operator.organization("other")
    async with Api(desk.service, await desk.operator.token(other_org, ALL, agent=None)) as stranger:
        refused = (403, "ACCESS_DENIED")
        assert await stranger.refusal("GET", f"/traces/{mine.id}") == refused
        assert await stranger.refusal("GET", f"/traces/{uuid7()}") == refused
        assert await stranger.refusal("GET", "/traces", params={"agent_id": str(desk.helper_id)}) == refused
        assert await stranger.every("/traces") == []


async def test_reading_does_not_allow_to_export(desk: Desk) -> None:
    token = await desk.operator.token(desk.service.org_id, Permission.TRACE_READ)
    async with Api(desk.service, token) as reader:
        assert await reader.every("/traces") == []
        assert await reader.refusal("GET", "/traces/export") == (403, "INSUFFICIENT_PERMISSIONS")


async def test_figures_are_of_the_last_day_unless_said_otherwise(desk: Desk) -> None:
    await desk.put(desk.trace(), desk.trace(at=NOW - timedelta(days=3), cost_nano_usd=None))

    assert (await desk.api.get("/traces/overview"))["total"]["calls"] == 1
    since = {"since": (NOW - timedelta(days=4)).isoformat()}
    whole = await desk.api.get("/traces/overview", **since, bucket="day")
    assert (whole["total"]["calls"], whole["total"]["unpriced"]) == (2, 1)
    assert [span["calls"] for span in whole["spans"]] == [1, 1]
    assert (await desk.api.get("/traces/costs", **since))["costs"][0]["cost_usd"] == 0.000024
    assert (await desk.api.get("/traces/memory", **since))["memories_per_call"] == 2.0
    steps = (await desk.api.get("/traces/latency", **since))["steps"]
    assert {"step": "total", "calls": 2, "time_ms": {"p50": 256.0, "p95": 256.0, "p99": 256.0}} in steps


async def test_an_export_has_every_trace_once_over_many_pages(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr(service, "_BATCH", 3)
    made = [desk.trace(at=NOW - timedelta(seconds=n // 3)) for n in range(10)]
    await desk.put(*made)

    lines = (await desk.api.call("GET", "/traces/export")).content.splitlines()
    table = await desk.api.call("GET", "/traces/export", params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))

    wanted = [str(each.id) for each in sorted(made, key=lambda each: (each.at, each.id), reverse=True)]
    assert [orjson.loads(line)["id"] for line in lines] == wanted
    assert [row["id"] for row in rows] == wanted
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    actions = [event["action"] for event in await desk.api.every("/audit")]
    assert actions.count("trace.export") == 2


async def test_no_cell_of_a_table_is_a_formula(desk: Desk) -> None:
    await desk.put(desk.trace(user_id='=cmd|" /C calc"!A0', client="@SUM(1,2)", session_id="-1\n2"))

    answer = await desk.api.call("GET", "/traces/export", params={"format": "csv"})
    [row] = csv.DictReader(io.StringIO(answer.text, newline=""))

    assert row["user_id"] == '\'=cmd|" /C calc"!A0'
    assert row["client"] == "'@SUM(1,2)"
    assert row["session_id"] == "'-1\n2"
    assert row["cost_usd"] == "2.4e-05"
    assert row["error_code"] == ""
    assert row["tools"] == "search search answer"
    assert orjson.loads(row["steps_ms"]) == {"auth": 0.25, "context": 4.5, "provider": 250.0}


async def test_usage_is_by_day_agent_and_model(desk: Desk) -> None:
    today = datetime.now(UTC).date()
    with psycopg.connect(desk.database.superuser_dsn) as connection:
        for days, agent_id, model in (
            (0, desk.helper_id, "o3"),
            (40, desk.helper_id, "o3"),
            (0, desk.other_id, "o3"),
        ):
            connection.execute(
                "INSERT INTO ibex.usage_days VALUES (%s, %s, %s, %s, 3, 1, 100, 40, 20, 24000)",
                (desk.service.org_id, today - timedelta(days=days), agent_id, model),
            )

    [mine] = (await desk.api.get("/usage", agent_id="helper"))["days"]

    assert mine == {
        "day": today.isoformat(),
        "agent_id": str(desk.helper_id),
        "model": "o3",
        "calls": 3,
        "errors": 1,
        "input_tokens": 100,
        "cached_tokens": 40,
        "output_tokens": 20,
        "cost_usd": 0.000024,
    }
    assert len((await desk.api.get("/usage"))["days"]) == 2
    assert len((await desk.api.get("/usage", since=(today - timedelta(days=50)).isoformat()))["days"]) == 3
    async with Api(desk.service, await desk.operator.token(desk.service.org_id, ALL)) as bound:
        assert len((await bound.get("/usage"))["days"]) == 1
