"""A provider's refusal is told with its status and its words, and without any key."""

import logging
from collections.abc import AsyncIterator

import httpx2
import openai
import pytest
import pytest_asyncio

from tests.faults.waiting import until
from tests.providers import payloads
from tests.providers.behaviours import Behaviour, status
from tests.providers.exchange import Exchange
from tests.proxy.asking import CHAT, assert_refused, assert_still_works, chat, error_of
from tests.proxy.conftest import Standing
from tests.proxy.records import turn
from tests.service import API_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSION = "X-IBEX-Session-ID"


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)
    # Nothing is left hanging at the provider: what is open is the pool's.
    await until(lambda: all(e.finished.is_set() or e.aborted.is_set() for e in standing.stub.exchanges))


async def ask(standing: Standing, model: str, *, stream: bool, session: str = "s") -> httpx2.Response:
    async with standing.service.http() as client:
        return await client.post(CHAT, json=chat(model, stream=stream), headers={SESSION: session})


def answering(code: int, body: bytes, **headers: str) -> Behaviour:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(
            body, status=code, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return answer


async def test_the_providers_refusal_of_a_request_is_told_as_it_is(standing: Standing) -> None:
    async with standing.service.openai() as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model="status-400", messages=[])
        assert refused.value.status_code == 400
        assert "messages" in refused.value.message
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(
                model="status-400", messages=[{"role": "user", "content": "hello"}]
            )
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "messages"
    assert refused.value.type == "invalid_request_error"
    assert "maximum context length is 128000 tokens" in refused.value.message
    assert refused.value.request_id


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("code", [401, 403])
async def test_a_refusal_of_our_key_is_not_the_clients_fault_and_does_not_show_it(
    standing: Standing, code: int, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    response = await ask(standing, f"status-{code}", stream=stream)
    assert_refused(response, 503, "PROVIDER_UNAVAILABLE", "credentials")
    for shown in (response.text, str(response.headers), caplog.text):
        assert API_KEY not in shown
        assert "sk-" not in shown


@pytest.mark.parametrize("code", [400, 404, 422, 429, 500])
async def test_a_key_in_any_message_is_cut_out(standing: Standing, code: int) -> None:
    body = payloads.error(
        f"Key {API_KEY} or sk-other-key-123456 or Bearer abc: no.", API_KEY, API_KEY, API_KEY
    )
    standing.stub.on("tells", answering(code, payloads.encode(body)))
    response = await ask(standing, "tells", stream=False)
    assert response.status_code == code
    assert error_of(response)["message"] == "Key [redacted] or [redacted] or [redacted] no."
    assert API_KEY not in response.text


@pytest.mark.parametrize(
    ("code", "error_code", "says"),
    [
        (404, "model_not_found", "The model does not exist."),
        (429, "rate_limit_exceeded", "Rate limit reached."),
        (500, "PROVIDER_ERROR", "Internal Server Error"),
        (503, "PROVIDER_ERROR", "Service Unavailable"),
    ],
)
async def test_status_and_message_are_the_providers(
    standing: Standing, code: int, error_code: str, says: str
) -> None:
    response = await ask(standing, f"status-{code}", stream=True, session=f"status-{code}")
    assert_refused(response, code, error_code, says)
    assert response.headers.get("retry-after") == ("7" if code in (429, 503) else None)
    row = await turn(standing.database, f"status-{code}")
    assert (row["outcome"], row["status"], row["provider"]) == ("failed", code, "openai")


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"[]", b'{"error": 7}', b"\xff", b'{"error": {}}'])
async def test_an_error_without_a_message_gets_ours(standing: Standing, body: bytes) -> None:
    standing.stub.on("mute", answering(418, body))
    response = await ask(standing, "mute", stream=False)
    assert_refused(response, 418, "PROVIDER_ERROR", "The provider `openai` answered with status 418.")


async def test_an_error_that_is_a_text_is_told(standing: Standing) -> None:
    standing.stub.on("text", answering(400, b'{"error": "No such voice."}'))
    response = await ask(standing, "text", stream=False)
    assert (response.status_code, error_of(response)["message"]) == (400, "No such voice.")


async def test_an_endless_error_is_cut_short(standing: Standing) -> None:
    async def endless_error(exchange: Exchange) -> None:
        await exchange.head(500, {"transfer-encoding": "chunked", "retry-after": "60"})
        while True:
            await exchange.part(b"x" * 10_000)

    standing.stub.on("endless-error", endless_error)
    response = await ask(standing, "endless-error", stream=False)
    assert_refused(response, 500, "PROVIDER_ERROR", "status 500")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("60", "60"),
        ("59.2", "60"),
        ("Wed, 21 Oct 2015 07:28:00 GMT", "1"),
        ("-5", "1"),
        ("inf", None),
        ("1e999", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
async def test_whatever_retry_after_says_is_told_in_seconds(
    standing: Standing, sent: str, told: str | None
) -> None:
    standing.stub.on("later", answering(429, b"{}", retry_after=sent))
    response = await ask(standing, "later", stream=False)
    assert (response.status_code, error_of(response)["code"]) == (429, "PROVIDER_RATE_LIMITED")
    assert response.headers.get("retry-after") == told


async def test_a_connection_is_used_again_after_an_error(standing: Standing) -> None:
    await assert_still_works(standing.service)
    before = standing.stub.connections
    for code in (400, 401, 404, 429, 503):
        for _ in range(4):
            assert (await ask(standing, f"status-{code}", stream=False)).status_code >= 400
    assert standing.stub.connections <= before + 1


async def test_the_status_code_of_a_refusal_is_typed_in_the_sdk(standing: Standing) -> None:
    kinds = {
        400: openai.BadRequestError,
        404: openai.NotFoundError,
        409: openai.ConflictError,
        422: openai.UnprocessableEntityError,
        429: openai.RateLimitError,
        500: openai.InternalServerError,
        502: openai.InternalServerError,
    }
    async with standing.service.openai() as client:
        for code, kind in kinds.items():
            standing.stub.on("typed", status(code) if code < 500 else answering(code, b"{}"))
            with pytest.raises(kind) as raised:
                await client.chat.completions.create(
                    model="typed", messages=[{"role": "user", "content": "hello"}]
                )
            assert isinstance(raised.value, openai.APIStatusError)
            assert raised.value.request_id == raised.value.response.headers["x-request-id"]
