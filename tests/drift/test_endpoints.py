"""`/v1/drift`, from the calls of an agent to the alert and back."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio

from ibex.auth import ALL, CHAT
from ibex.drift import DriftWatch
from ibex.errors import IbexError
from tests.drift.calls import Caller, watch
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers import payloads
from tests.providers.exchange import Exchange
from tests.providers.stub import StubProvider
from tests.rest.api import Api
from tests.service import Service, shipping

_LEARNED = 200


@pytest_asyncio.fixture
async def admin(service: Service, operator: Operator) -> AsyncIterator[Api]:
    """Somebody with every permission, and an agent `helper` that is slow since 100 calls."""
    agent = await operator.agent(service.org_id)
    caller = Caller(service.org_id, agent.id)
    watching = DriftWatch(operator.administration.agents, baseline_calls=_LEARNED)
    await watch(watching, operator.postgres, service.org_id, caller.calls(_LEARNED))
    await watch(watching, operator.postgres, service.org_id, caller.slow_calls(_LEARNED, 4.0))
    async with Api(service, await operator.token(service.org_id, ALL, None)) as api:
        yield api


async def test_an_alert_is_seen_and_settled(admin: Api) -> None:
    [watched] = await admin.get("/drift", agent_id="helper")
    [alert] = await admin.get("/drift/alerts", agent_id="helper", status="open")

    assert (watched["calls"], watched["alert_id"]) == (2 * _LEARNED, alert["id"])
    assert alert["features"][0]["feature"] == "latency"
    assert await admin.get(f"/drift/alerts/{alert['id']}") == alert
    assert (await admin.do(f"/drift/alerts/{alert['id']}/acknowledge"))["status"] == "acknowledged"
    resolved = await admin.do(f"/drift/alerts/{alert['id']}/resolve", {"accept": True})
    assert resolved["status"] == "resolved"
    again = await admin.refusal("POST", f"/drift/alerts/{alert['id']}/false-alarm")
    assert again == (409, "CONFLICT")
    assert await admin.get("/drift/alerts", status="open") == []


async def test_fingerprints_and_baselines_are_shown_and_a_baseline_is_set(admin: Api) -> None:
    fingerprints = await admin.every("/drift/fingerprints", agent_id="helper", limit=15)
    calls = [each["call"] for each in fingerprints]
    assert calls == sorted(set(calls))
    assert calls[-1] == 2 * _LEARNED
    assert max(after - before for before, after in pairwise([0, *calls])) <= 30
    assert (await admin.get("/drift/fingerprints/latest", agent_id="helper"))[0] == fingerprints[-1]

    [learned] = await admin.get("/drift/baselines", agent_id="helper")
    assert await admin.get(f"/drift/baselines/{learned['id']}") == learned
    made = await admin.create("/drift/baselines", {"agent_id": "helper", "calls": _LEARNED})
    assert made["numbers"]["latency"]["typical"] > 2 * learned["numbers"]["latency"]["typical"]
    assert await admin.get("/drift/alerts", status="open") == []
    body = {"agent_id": "helper"}
    assert (await admin.call("POST", "/drift/baselines/reset", body)).status_code == 204
    assert (await admin.get("/drift", agent_id="helper"))[0]["baseline_id"] is None


async def test_a_request_that_cannot_be_done_is_told_why(admin: Api, operator: Operator) -> None:
    invalid = (400, "VALIDATION_ERROR")
    for body in (
        {"agent_id": "helper"},
        {"agent_id": "helper", "calls": 200, "since": "2030-01-31T12:00:00Z"},
        {"agent_id": "helper", "since": "2031-01-31T12:00:00Z"},
        {"agent_id": "helper", "calls": 200, "directive_number": 7},
    ):
        status, code = await admin.refusal("POST", "/drift/baselines", body)
        assert (status, code) == invalid


@pytest.mark.parametrize("choice", ["high", {"suspend": "high"}, {"suspend_on": "sometimes"}])
async def test_a_configuration_of_drift_is_checked(operator: Operator, choice: object) -> None:
    org_id = await operator.organization()
    agent = await operator.agent(org_id)

    with pytest.raises(IbexError, match=r"drift|suspend_on|pauses"):
        await operator.administration.agents.update(
            operator.actor(org_id), agent.id, config={"drift": choice}
        )


async def test_a_provider_that_answers_differently_is_noticed(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> None:
    async def verbose(exchange: Exchange) -> None:
        answer = payloads.completion(exchange.request.model)
        answer["model"] = "another-model"
        answer["choices"][0]["message"]["content"] = "I would rather say much more. " * 20
        await exchange.respond(payloads.encode(answer))

    watching = DriftWatch(operator.administration.agents, baseline_calls=_LEARNED)
    where = (database.service_dsn, database.redis_url)
    async with (
        Service.start(*where, operator, stub_provider, ships=False) as service,
        shipping(*where, observers=[watching]),
        Api(service, await operator.token(service.org_id, ALL, None)) as admin,
        Api(service, await operator.token(service.org_id, CHAT)) as agent,
    ):

        async def call(times: int) -> None:
            for _ in range(times):
                body = {"model": "a-model", "messages": [{"role": "user", "content": "Hello"}]}
                answer = await agent.call("POST", "/chat/completions", body)
                assert answer.status_code == 200, answer.text

        async def watched(calls: int) -> bool:
            return any(each["calls"] >= calls for each in await admin.get("/drift"))

        await asyncio.gather(*(call(_LEARNED // 4) for _ in range(4)))
        await until(lambda: watched(_LEARNED))
        stub_provider.otherwise = verbose
        await asyncio.gather(*(call(10) for _ in range(4)))
        await until(lambda: watched(_LEARNED + 40))

        [alert] = await admin.get("/drift/alerts")
        moved = {each["feature"] for each in alert["features"]}
        assert {"answer_chars", "model_served"} <= moved
        assert ("model_served", "another-model") in {
            (cause["kind"], cause["value"]) for cause in alert["causes"]
        }
