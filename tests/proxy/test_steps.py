"""Where the time of a request went is told whatever became of it, and only our own share is overhead."""

import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
import pytest_asyncio

from ibex.telemetry import Step, StepClock, steps
from tests.faults.waiting import until
from tests.providers import behaviours
from tests.proxy.asking import CHAT, assert_still_works, chat, chat_bytes
from tests.proxy.conftest import Standing
from tests.proxy.wire import connect, post

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)


def counted(standing: Standing) -> dict[str, float]:
    """How often each step was timed."""
    lines = standing.service.instruments.metrics.render().decode().splitlines()
    return {
        step: float(line.rpartition(" ")[2])
        for step in Step
        for line in lines
        if line.startswith("ibex_step_seconds_count") and f'step="{step}"' in line
    }


async def steps_of(standing: Standing, before: dict[str, float]) -> list[str]:
    """The steps that were timed since, once any was."""
    await until(lambda: counted(standing) != before)
    return [step for step, count in counted(standing).items() if count > before.get(step, 0.0)]


async def test_a_body_that_is_wrong_ends_in_its_parsing(standing: Standing) -> None:
    before = counted(standing)
    async with standing.service.http() as client:
        assert (await client.post(CHAT, json={})).status_code == 400
    assert await steps_of(standing, before) == ["auth", "body", "parse"]


async def test_a_refusal_ends_in_authentication(standing: Standing) -> None:
    before = counted(standing)
    async with standing.service.http() as client:
        headers = {"Authorization": "Bearer nobody"}
        assert (await client.post(CHAT, json=chat(), headers=headers)).status_code == 401
        assert await steps_of(standing, before) == ["auth"]
        before = counted(standing)
        assert (await client.get("/v1/models", headers=headers)).status_code == 401
    assert await steps_of(standing, before) == ["auth"]


@pytest.mark.parametrize("model", ["hang-before-headers", "failing"])
async def test_a_provider_that_fails_is_timed_and_is_no_overhead(standing: Standing, model: str) -> None:
    standing.stub.on("failing", behaviours.status(400))
    before = counted(standing)
    async with standing.service.http() as client:
        response = await client.post(CHAT, json=chat(model))
    assert response.status_code in {400, 504}
    assert await steps_of(standing, before) == [step for step in Step if step != Step.STREAM]
    assert float(response.headers["x-ibex-overhead-ms"]) < 900


async def test_the_time_that_a_client_takes_to_send_is_no_overhead(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, entered, enter = [0.0], list[Step | None](), StepClock.enter
    clock = SimpleNamespace(perf_counter=lambda: time.perf_counter() + late[0], time_ns=time.time_ns)

    def noted(clock: StepClock, step: Step | None) -> None:
        enter(clock, step)
        entered.append(step)

    monkeypatch.setattr(steps, "time", clock)
    monkeypatch.setattr(StepClock, "enter", noted)
    body = chat_bytes()
    async with connect(standing.service) as wire:
        request = post(standing.service, body)
        await wire.send(request[:-5])
        await until(lambda: Step.BODY in entered)
        late[0] = 1.0
        await wire.send(request[-5:])
        answer = await wire.answer()
    assert answer.status == 200
    assert float(answer.headers["x-response-time"][:-2]) >= 1_000
    assert float(answer.headers["x-ibex-overhead-ms"]) < 900
