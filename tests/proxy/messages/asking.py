"""Calls in Anthropic's dialect, and what its errors must look like."""

import json
from typing import Any

import httpx2
from anthropic import AsyncAnthropic

from tests.providers import messages
from tests.service import Service

MESSAGES = "/v1/messages"
# The settings of a service in front of a provider that speaks this dialect alone.
ANTHROPIC_ALONE: dict[str, Any] = {"kinds": ("anthropic",)}
MODEL = "claude-haiku-4-5"


def anthropic(service: Service, **options: Any) -> AsyncAnthropic:
    """The official client, without retries of its own unless asked for."""
    mine = {"base_url": service.url, "api_key": service.token, "max_retries": 0}
    return AsyncAnthropic(**{**mine, **options})


def asked(model: str = MODEL, **fields: Any) -> dict[str, Any]:
    """The body of a request."""
    return {
        "model": model,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hello"}],
        **fields,
    }


def asked_bytes(model: str = MODEL, **fields: Any) -> bytes:
    return json.dumps(asked(model, **fields)).encode()


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """The error in an answer, once its envelope has everything that every error has."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert (set(body), body["type"]) == ({"type", "error", "request_id"}, "error")
    assert body["request_id"] == response.headers["request-id"] == response.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    ours = {"param", "code", "detail", "details", "docs_url", "field_errors"}
    assert set(error) == {"type", "message", *ours}
    assert error["details"] == {"error_code": error["code"]}
    return error


async def assert_still_works(service: Service) -> None:
    """A good request, on a connection of its own, gets a good answer."""
    async with service.http() as client:
        response = await client.post(MESSAGES, json=asked())
    assert response.status_code == 200, response.text
    assert response.json()["content"][0]["text"] == messages.ANSWER
