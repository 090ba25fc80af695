"""What of a request reaches the provider, and what of its answer the client."""

from typing import Any

import pytest

from ibex import __version__
from tests.proxy.asking import CHAT, assert_still_works, chat
from tests.proxy.conftest import Standing
from tests.service import API_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 1,
    "seed": -5,
    "stop": ["a", "b\n"],
    "logit_bias": {"50256": -100},
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "#/a"}}},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"maximum": 2**63}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "stream_options": {"include_usage": True},
    "reasoning_effort": "high",
    "metadata": {"user_id": "u-1", "empty": ""},
    "vendor": {
        "deep": [[[{"x": None}]]],
        "true": True,
        "float": 1.0,
        "tiny": 5e-324,
        "unicode": "東京 🦌 \u2028",
    },
    "extra_null": None,
    "user": "user-1",
    "": "empty name",
}


@pytest.mark.parametrize("stream", [True, False])
async def test_unknown_fields_reach_the_provider_as_they_are(standing: Standing, stream: bool) -> None:
    body = chat("gpt-4o-mini", stream=stream, **FIELDS)
    body["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "x": 1}], "reasoning": "…"},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "x", "cache": {}}]},
    ]
    async with standing.service.http() as client:
        plainly = {"X-IBEX-Skip-Memory": "true"}
        assert (await client.post(CHAT, json=body, headers=plainly)).status_code == 200
    assert standing.stub.requests[-1].json() == body


async def test_numbers_beyond_64_bits_keep_the_value_that_json_gives_them(standing: Standing) -> None:
    """RFC 8259, section 6: no more than a double's precision can be relied on."""
    async with standing.service.http() as client:
        await client.post(CHAT, json=chat(big=10**30))
    assert standing.stub.requests[-1].json()["big"] == pytest.approx(10**30, rel=1e-15)


async def test_of_a_field_given_twice_the_provider_sees_what_was_checked(standing: Standing) -> None:
    async with standing.service.http() as client:
        response = await client.post(
            CHAT,
            content=b'{"model": "status-500", "messages": [{"role": "user"}], "model": "gpt-4o-mini"}',
            headers={"Content-Type": "application/json"},
        )
    assert response.status_code == 200
    assert standing.stub.requests[-1].model == "gpt-4o-mini"
    assert standing.stub.requests[-1].body.count(b'"model"') == 1


async def test_only_a_few_headers_reach_the_provider(standing: Standing) -> None:
    sent = {
        "Cookie": "session=secret",
        "X-Api-Key": "secret",
        "X-IBEX-Session-ID": "s",
        "X-IBEX-User-ID": "u",
        "X-IBEX-Agent-ID": "helper",
        "Idempotency-Key": "k",
        "X-Forwarded-For": "10.0.0.1",
        "Proxy-Authorization": "Basic secret",
        "TE": "trailers",
        "Connection": "keep-alive, X-Custom",
        "X-Custom": "1",
        "Origin": "http://somewhere",
        "Accept-Encoding": "gzip, br",
        "User-Agent": "agent/1",
        "OpenAI-Organization": "org-client",
        "OpenAI-Beta": "assistants=v2",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    async with standing.service.http() as client:
        response = await client.post(CHAT, json=chat(), headers=sent)
    assert response.status_code == 200
    request = standing.stub.requests[-1]
    received = dict(request.headers)
    assert len(received) == len(request.headers)
    assert received == {
        "host": f"127.0.0.1:{standing.stub.port}",
        "authorization": f"Bearer {API_KEY}",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": f"ibex/{__version__}",
        "openai-beta": "assistants=v2",
        "traceparent": sent["traceparent"],
    }
    assert standing.service.token not in str(request)


@pytest.mark.parametrize("traceparent", ["00-xyz", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 5_000])
async def test_a_trace_that_nobody_could_continue_is_not_forwarded(
    standing: Standing, traceparent: str
) -> None:
    async with standing.service.http() as client:
        response = await client.post(CHAT, json=chat(), headers={"traceparent": traceparent})
    assert response.status_code == 200
    assert "traceparent" not in dict(standing.stub.requests[-1].headers)


async def test_the_providers_own_headers_do_not_reach_the_client(standing: Standing) -> None:
    async with standing.service.http() as client:
        response = await client.post(CHAT, json=chat())
    assert response.headers["x-request-id"] != "req_stub"
    assert set(response.headers) == {
        "date",
        "content-type",
        "content-length",
        "x-request-id",
        "x-trace-id",
        "x-response-time",
        "x-ibex-context-tokens",
        "x-ibex-memories-injected",
        "x-ibex-overhead-ms",
        "x-ibex-session-id",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-ratelimit-scope",
    }
    await assert_still_works(standing.service)
