"""A call that fails before its first byte is made again, as long and as often as that makes sense."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.providers import behaviours
from tests.providers.behaviours import fail_first, status
from tests.providers.exchange import Exchange
from tests.proxy.asking import CHAT, assert_refused, assert_still_works, chat
from tests.proxy.conftest import Standing
from tests.proxy.records import turn

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)


async def ask(
    standing: Standing, model: str, *, stream: bool = False, session: str = "s"
) -> tuple[httpx2.Response, list[Exchange], float]:
    """The answer, the attempts it took, and the seconds."""
    before, started = len(standing.stub.exchanges), time.monotonic()
    async with standing.service.http() as client:
        response = await client.post(
            CHAT, json=chat(model, stream=stream), headers={"X-IBEX-Session-ID": session}
        )
    return response, list(standing.stub.exchanges[before:]), time.monotonic() - started


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("code", [408, 409, 425, 500, 502, 503, 504])
async def test_a_passing_failure_is_not_seen_by_the_client(
    standing: Standing, code: int, stream: bool
) -> None:
    standing.stub.on("passing", fail_first(2, status(code, retry_after="0")))
    response, attempts, _ = await ask(standing, "passing", stream=stream, session=f"p-{code}-{stream}")
    assert response.status_code == 200
    assert len(attempts) == 3
    assert len({attempt.request.body for attempt in attempts}) == 1
    assert (await turn(standing.database, f"p-{code}-{stream}"))["attempts"] == 3


@pytest.mark.parametrize(
    "failure",
    [
        behaviours.close_before_headers,
        behaviours.html,
        behaviours.empty_body,
        behaviours.empty_stream,
        behaviours.empty_stream_broken,
    ],
)
async def test_an_answer_that_is_none_is_asked_for_again(
    standing: Standing, failure: behaviours.Behaviour
) -> None:
    standing.stub.on("none", fail_first(1, failure))
    response, attempts, _ = await ask(standing, "none", stream=True)
    assert response.text.endswith("data: [DONE]\n\n")
    assert len(attempts) == 2


async def test_it_gives_up_after_as_many_retries_as_are_set(standing: Standing) -> None:
    response, attempts, _ = await ask(standing, "status-500", session="gives-up")
    assert response.status_code == 500
    assert len(attempts) == 3
    row = await turn(standing.database, "gives-up")
    assert (row["attempts"], row["outcome"], row["error_code"]) == (3, "failed", "PROVIDER_ERROR")


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 413, 422, 501])
async def test_what_will_not_change_is_not_asked_again(standing: Standing, code: int) -> None:
    standing.stub.on("final", status(code))
    _, attempts, _ = await ask(standing, "final")
    assert len(attempts) == 1


@pytest.mark.parametrize(
    "model", ["break-at-event", "break-mid-line", "error-event", "truncated", "invalid-json"]
)
async def test_nothing_is_asked_again_after_the_first_byte(standing: Standing, model: str) -> None:
    _, attempts, _ = await ask(standing, model, stream=model not in ("truncated", "invalid-json"))
    assert len(attempts) == 1


@pytest.mark.parametrize("code", [429, 503])
async def test_a_provider_is_left_alone_for_as_long_as_it_asks(standing: Standing, code: int) -> None:
    standing.stub.on("later", fail_first(1, status(code, retry_after="0.8")))
    response, attempts, seconds = await ask(standing, "later")
    assert response.status_code == 200
    assert len(attempts) == 2
    assert seconds >= 0.8


@pytest.mark.parametrize(("code", "error_code"), [(429, "rate_limit_exceeded"), (503, "PROVIDER_ERROR")])
async def test_a_provider_that_asks_for_too_long_is_not_waited_for(
    standing: Standing, code: int, error_code: str
) -> None:
    standing.stub.on("much-later", status(code, retry_after="2.1"))
    response, attempts, _ = await ask(standing, "much-later")
    assert_refused(response, code, error_code, "")
    assert response.headers["retry-after"] == "3"
    assert len(attempts) == 1


async def test_the_waits_end_when_the_service_has_to_stop(standing: Standing) -> None:
    """A retry that is waiting does not keep others from being served."""
    standing.stub.on("later", fail_first(1, status(503, retry_after="1")))
    waiting = asyncio.create_task(ask(standing, "later"))
    await standing.stub.exchange(len(standing.stub.exchanges))
    await assert_still_works(standing.service)
    assert not waiting.done()
    assert (await waiting)[0].status_code == 200
