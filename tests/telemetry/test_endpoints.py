"""`/health` says that the process lives, `/ready` what it can do."""

import asyncio
from typing import Any

import orjson
import pytest

from ibex.telemetry import endpoints
from ibex.telemetry.endpoints import Dependency, routes
from ibex.telemetry.metrics import Metrics
from tests.service import Service


async def works() -> str:
    return "connected"


async def fails() -> str:
    raise ConnectionError("postgresql://someone:hunter2@host/ibex")


async def hangs() -> str:
    await asyncio.Event().wait()
    return "never"


async def get(path: str, dependencies: list[Dependency]) -> tuple[int, Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await routes(Metrics(), dependencies, "1.2.3")[path]["GET"]({}, receive, send)
    return sent[0]["status"], orjson.loads(sent[1]["body"])


async def test_a_service_with_everything_is_alive_and_ready(service: Service) -> None:
    async with service.http() as client:
        health = await client.get("/health", headers={"Authorization": ""})
        ready = await client.get("/ready", headers={"Authorization": ""})
    assert health.json()["status"] == "alive"
    assert ready.status_code == 200
    states = ready.json()["dependencies"]
    assert states["postgres"] == states["redis"] == {"ok": True, "state": "connected"}
    assert states["provider:openai"] == {"ok": True, "state": "configured"}


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_nothing_can_be_sent_to_them(service: Service, path: str) -> None:
    async with service.http() as client:
        answer = await client.post(path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_health_asks_no_dependency() -> None:
    assert await get("/health", [Dependency("postgres", hangs, True, "closed")]) == (
        200,
        {"status": "alive", "version": "1.2.3"},
    )


async def test_without_a_required_dependency_it_is_not_ready() -> None:
    status, body = await get("/ready", [Dependency("postgres", fails, True, "tokens are refused")])
    assert status == 503
    assert body["status"] == "not ready"
    assert body["dependencies"]["postgres"] == {
        "ok": False,
        "state": "ConnectionError",
        "effect": "tokens are refused",
    }
    assert "hunter2" not in str(body)


async def test_without_one_it_can_do_without_it_is_ready_and_says_so() -> None:
    status, body = await get(
        "/ready", [Dependency("postgres", works, True, ""), Dependency("redis", fails, False, "approximate")]
    )
    assert status == 200
    assert body["dependencies"]["redis"]["ok"] is False
    assert body["dependencies"]["postgres"]["ok"] is True


async def test_a_dependency_that_hangs_does_not_hang_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_PATIENCE", 0.05)
    status, body = await get("/ready", [Dependency("postgres", hangs, True, "closed")])
    assert (status, body["dependencies"]["postgres"]["state"]) == (503, "TimeoutError")


async def test_a_flood_of_questions_is_one_for_the_databases() -> None:
    asked: list[None] = []

    async def counts() -> str:
        asked.append(None)
        await asyncio.sleep(0)
        return "connected"

    async def ignore(message: Any) -> None:
        return

    ready = routes(Metrics(), [Dependency("postgres", counts, True, "")], "1.2.3")["/ready"]["GET"]
    await asyncio.gather(*(ready({}, None, ignore) for _ in range(10)))  # type: ignore[arg-type]
    assert len(asked) == 1
