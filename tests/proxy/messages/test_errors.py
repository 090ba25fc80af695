"""Every refusal is raised by Anthropic's client as the error of its own that fits, and shows no key."""

import logging
from typing import Any

import anthropic as sdk
import pytest

from tests.providers import behaviours, messages
from tests.providers.behaviours import Behaviour
from tests.providers.exchange import Exchange
from tests.proxy.conftest import Standing
from tests.proxy.messages.asking import (
    ANTHROPIC_ALONE,
    MESSAGES,
    anthropic,
    asked,
    assert_still_works,
    error_of,
)
from tests.proxy.records import turn
from tests.service import API_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = ANTHROPIC_ALONE
SLOW_DOWN = messages.status(429, "Slow down.", retry_after="7")


@pytest.mark.parametrize(
    ("kind", "status", "code", "type_", "options", "headers"),
    [
        (sdk.BadRequestError, 400, "VALIDATION_ERROR", "invalid_request_error", {"model": ""}, {}),
        (
            sdk.BadRequestError,
            400,
            "VALIDATION_ERROR",
            "invalid_request_error",
            {},
            {"X-IBEX-Session-ID": "a b"},
        ),
        (
            sdk.PermissionDeniedError,
            403,
            "AGENT_NOT_AUTHORIZED",
            "permission_error",
            {},
            {"X-IBEX-Agent-ID": "nobody"},
        ),
        (sdk.NotFoundError, 404, "PROVIDER_ERROR", "not_found_error", {"model": "answers-404"}, {}),
        (sdk.RateLimitError, 429, "PROVIDER_RATE_LIMITED", "rate_limit_error", {"model": "answers-429"}, {}),
        (sdk.OverloadedError, 529, "PROVIDER_ERROR", "overloaded_error", {"model": "answers-529"}, {}),
        (sdk.InternalServerError, 502, "PROVIDER_INVALID_RESPONSE", "api_error", {"model": "html"}, {}),
        (sdk.ServiceUnavailableError, 503, "PROVIDER_UNAVAILABLE", "api_error", {"model": "answers-401"}, {}),
        (sdk.GatewayTimeoutError, 504, "PROVIDER_TIMEOUT", "timeout_error", {"model": "mute"}, {}),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_typed(
    standing: Standing,
    kind: type[sdk.APIStatusError],
    status: int,
    code: str,
    type_: str,
    options: dict[str, Any],
    headers: dict[str, str],
    stream: bool,
) -> None:
    for answered in (401, 404, 429, 529):
        standing.stub.on_messages(f"answers-{answered}", messages.status(answered))
    standing.stub.on_messages("html", behaviours.html)
    standing.stub.on_messages("mute", behaviours.hang_before_headers)
    async with anthropic(standing.service) as client:
        with pytest.raises(kind) as raised:
            await client.messages.create(
                **{"model": "claude", "max_tokens": 9, **options},
                messages=[{"role": "user", "content": "hello"}],
                stream=stream,
                extra_headers=headers,
            )
    error = raised.value
    assert (error.status_code, error.error_code, error.type) == (status, code, type_)
    assert error.request_id == error.response.headers["x-request-id"]
    await assert_still_works(standing.service)


@pytest.mark.parametrize("keys", [{"api_key": "sk-mine"}, {"auth_token": "sk-mine", "api_key": None}])
async def test_a_key_of_anthropics_is_no_token(standing: Standing, keys: dict[str, Any]) -> None:
    async with anthropic(standing.service, **keys) as client:
        with pytest.raises(sdk.AuthenticationError) as raised:
            await client.messages.create(
                model="claude", max_tokens=9, messages=[{"role": "user", "content": "hello"}]
            )
    assert (raised.value.error_code, raised.value.type) == ("INVALID_TOKEN", "authentication_error")
    assert raised.value.request_id == raised.value.response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "method", "code"),
    [
        ("/v1/messages", "GET", "METHOD_NOT_ALLOWED"),
        ("/v1/messages/count_tokens", "POST", "NOT_FOUND"),
        ("/v1/messages/batches", "POST", "NOT_FOUND"),
        ("/messages", "POST", "NOT_FOUND"),
        ("/v1/v1/messages", "POST", "NOT_FOUND"),
    ],
)
async def test_what_is_not_served_is_refused_in_the_dialect(
    standing: Standing, path: str, method: str, code: str
) -> None:
    async with standing.service.http() as client:
        error = error_of(await client.request(method, path))
    assert error["code"] == code


async def test_a_base_url_that_ends_in_v1_is_pointed_out(standing: Standing) -> None:
    async with anthropic(standing.service, base_url=f"{standing.service.url}/v1") as client:
        with pytest.raises(sdk.NotFoundError, match="adds /v1 to its base URL itself"):
            await client.messages.create(model="claude", max_tokens=9, messages=[])


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        (b"", None, "empty"),
        (b"{", None, "not valid JSON"),
        (b"[]", None, "must be a JSON object"),
        ({**asked(), "model": 7}, "model", "names a model"),
        (asked(messages=[]), "messages", "one message"),
        (asked(messages="hello"), "messages", "one message"),
        (asked(messages=[7]), "messages.0", "an object"),
        (asked(messages=[{"content": "x"}]), "messages.0.role", "`user`"),
        (asked(messages=[{"role": "user"}] * 2_049), "messages", "2049 messages; 2048 are accepted"),
        (asked(stream="yes"), "stream", "true or false"),
        (asked(metadata={"user_id": "x" * 257}), "metadata.user_id", "256 characters"),
        (asked(metadata={"user_id": "a\0b"}), "metadata.user_id", "NUL"),
    ],
)
async def test_a_body_is_refused_where_ibex_would_act_on_it(
    standing: Standing, body: bytes | dict[str, Any], field: str | None, says: str
) -> None:
    before = len(standing.stub.exchanges)
    async with standing.service.http() as client:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        response = await client.post(MESSAGES, headers={"Content-Type": "application/json"}, **content)
    error = error_of(response)
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", field)
    assert says in error["message"]
    assert [wrong["field"] for wrong in error["field_errors"]] == ([field] if field else [])
    assert len(standing.stub.exchanges) == before


@pytest.mark.parametrize(
    ("behaviour", "attempts", "status", "says"),
    [
        (messages.status(529, "Overloaded"), 3, 529, "Overloaded"),
        (messages.status(500, "Internal server error"), 3, 500, "Internal server error"),
        (SLOW_DOWN, 1, 429, "Slow down."),
        (messages.status(400, "max_tokens: Field required"), 1, 400, "max_tokens: Field required"),
        (messages.status(402, "Your balance is too low."), 1, 402, "Your balance is too low."),
        (messages.status(413, "Too large"), 1, 413, "Too large"),
    ],
)
async def test_what_the_provider_says_is_told_after_as_many_attempts_as_help(
    standing: Standing, behaviour: Behaviour, attempts: int, status: int, says: str
) -> None:
    standing.stub.on_messages("says", behaviour)
    session = f"says-{status}"
    async with standing.service.http() as client:
        response = await client.post(MESSAGES, json=asked("says"), headers={"X-IBEX-Session-ID": session})
    error = error_of(response)
    assert (response.status_code, error["message"]) == (status, says)
    assert response.headers.get("retry-after") == ("7" if status == 429 else None)
    row = await turn(standing.database, session)
    assert (row["attempts"], row["status"], row["outcome"]) == (attempts, status, "failed")


async def test_a_provider_that_is_overloaded_once_is_asked_again(standing: Standing) -> None:
    failing = behaviours.fail_first(1, messages.status(529), then=messages.ordinary)
    standing.stub.on_messages("once", failing)
    async with anthropic(standing.service) as client:
        answer = await client.messages.create(
            model="once", max_tokens=9, messages=[{"role": "user", "content": "hello"}]
        )
    assert answer.stop_reason == "end_turn"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 529])
async def test_no_key_is_told_whatever_the_provider_says(
    standing: Standing, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    other = "sk-ant-api03-abcdefghijklmnop0123456789"
    standing.stub.on_messages("tells", messages.status(status, f"Key {API_KEY} or {other}: no."))
    async with standing.service.http() as client:
        response = await client.post(MESSAGES, json=asked("tells"))
    error_of(response)
    for shown in (response.text, str(response.headers), caplog.text):
        assert API_KEY not in shown
        assert other not in shown


@pytest.mark.parametrize(
    "body", [b"", b"<html>no</html>", b"[]", b'{"error": 7}', b'{"type":"error","error":{}}']
)
async def test_an_error_without_a_message_gets_ours(standing: Standing, body: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(body, status=418)

    standing.stub.on_messages("wordless", answer)
    async with standing.service.http() as client:
        error = error_of(await client.post(MESSAGES, json=asked("wordless")))
    assert error["message"] == "The provider `anthropic` answered with status 418."


@pytest.mark.parametrize("stream", [True, False])
async def test_a_repeated_request_gets_the_first_answer(standing: Standing, stream: bool) -> None:
    headers = {"Idempotency-Key": f"twice-{stream}"}
    body = asked(stream=stream)
    async with standing.service.http() as client:
        first = await client.post(MESSAGES, json=body, headers=headers)
        before = len(standing.stub.exchanges)
        second = await client.post(MESSAGES, json=body, headers=headers)
        while second.status_code == 409:
            second = await client.post(MESSAGES, json=body, headers=headers)
        other = await client.post(MESSAGES, json=asked("another"), headers=headers)
    assert second.content == first.content
    assert second.headers["x-ibex-idempotency"] == "replayed"
    assert second.headers["content-type"] == first.headers["content-type"]
    assert len(standing.stub.exchanges) == before
    assert error_of(other)["code"] == "IDEMPOTENCY_KEY_REUSE"
