"""No provider is waited for longer than its settings say."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
import pytest_asyncio

from tests.faults.waiting import until
from tests.providers import payloads
from tests.providers.exchange import Exchange
from tests.proxy.asking import CHAT, assert_refused, assert_still_works, chat
from tests.proxy.conftest import Standing
from tests.proxy.records import turn

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)
    await until(lambda: all(e.finished.is_set() or e.aborted.is_set() for e in standing.stub.exchanges))


async def ask(standing: Standing, model: str, **fields: Any) -> httpx2.Response:
    async with standing.service.http() as client:
        return await client.post(CHAT, json=chat(model, **fields), headers={"X-IBEX-Session-ID": model})


@pytest.mark.parametrize(
    ("model", "stream"),
    [("hang-before-headers", False), ("hang-before-headers", True), ("hang-after-headers", True)],
)
async def test_a_provider_that_does_not_begin_is_given_up(
    standing: Standing, model: str, stream: bool
) -> None:
    before, started = len(standing.stub.exchanges), time.monotonic()
    response = await ask(standing, model, stream=stream)
    assert_refused(response, 504, "PROVIDER_TIMEOUT", "`openai` did not answer in time")
    assert 1.0 <= time.monotonic() - started < 3.0
    assert len(standing.stub.exchanges) == before + 1


async def test_a_provider_that_falls_silent_in_a_stream_is_given_up(standing: Standing) -> None:
    async with standing.service.openai(default_headers={"X-IBEX-Session-ID": "silent"}) as client:
        stream = await client.chat.completions.create(
            model="hang-mid-stream", messages=[{"role": "user", "content": "hello"}], stream=True
        )

        async def read() -> None:
            async for _ in stream:
                pass

        with pytest.raises(openai.APIError, match="fell silent for 1 s") as silent:
            await read()
    assert silent.value.code == "PROVIDER_TIMEOUT"
    row = await turn(standing.database, "silent")
    assert (row["status"], row["outcome"], row["error_code"]) == (200, "broken", "PROVIDER_TIMEOUT")


async def test_a_provider_that_falls_silent_in_a_body_is_given_up(standing: Standing) -> None:
    async def half(exchange: Exchange) -> None:
        body = payloads.encode(payloads.completion("half"))
        await exchange.head(200, {"content-type": "application/json", "content-length": str(len(body))})
        await exchange.raw(body[:50])
        await exchange.hang()

    standing.stub.on("half", half)
    assert_refused(await ask(standing, "half"), 504, "PROVIDER_TIMEOUT", "in time")


async def test_a_provider_that_falls_silent_in_an_error_is_given_up(standing: Standing) -> None:
    async def half_an_error(exchange: Exchange) -> None:
        await exchange.head(500, {"content-type": "application/json", "content-length": "100"})
        await exchange.raw(b'{"error":')
        await exchange.hang()

    standing.stub.on("half-an-error", half_an_error)
    assert_refused(await ask(standing, "half-an-error"), 504, "PROVIDER_TIMEOUT", "in time")


async def test_a_provider_may_take_long_as_long_as_it_goes_on(standing: Standing) -> None:
    """Each wait is limited, not their sum."""
    loop, started = asyncio.get_running_loop(), time.monotonic()

    async def unhurried(exchange: Exchange) -> None:
        await exchange.open_stream()
        for number, event in enumerate(payloads.stream_events("unhurried")):
            if number < 5:
                await exchange.gate.wait()
            await exchange.event(event)
        await exchange.end_stream()

    for number in range(1, 6):
        loop.call_later(number * 0.5, standing.stub.gate.step)
    standing.stub.on("unhurried", unhurried)
    response = await ask(standing, "unhurried", stream=True)
    assert response.content == b"".join(payloads.stream_events("unhurried"))
    assert time.monotonic() - started >= 2.5


async def test_comments_keep_a_stream_alive(standing: Standing) -> None:
    """Providers that think for long send comments meanwhile; they are forwarded at once."""
    standing.stub.gate.open()
    response = await ask(standing, "fidelity", stream=True)
    assert response.text.startswith(": keep-alive\n\n")
