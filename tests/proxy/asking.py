"""Requests as an agent sends them, and what its answers must look like."""

import json
from typing import Any

import httpx2

from tests.providers import payloads
from tests.service import Service

CHAT = "/v1/chat/completions"


def chat(model: str = "gpt-4o-mini", **fields: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], **fields}


def chat_bytes(model: str = "gpt-4o-mini", **fields: Any) -> bytes:
    return json.dumps(chat(model, **fields)).encode()


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """The error in an answer, once its envelope has everything that every error has."""
    assert response.headers["content-type"] == "application/json"
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {
        "message",
        "type",
        "param",
        "code",
        "detail",
        "docs_url",
        "request_id",
        "timestamp",
        "field_errors",
    }
    assert error["request_id"] == response.headers["x-request-id"]
    return error


def assert_refused(
    response: httpx2.Response, status: int, code: str, says: str, param: str | None = None
) -> None:
    """The answer is this error, and its message names what is wrong."""
    error = error_of(response)
    assert (response.status_code, error["code"]) == (status, code), error
    assert says.lower() in error["message"].lower()
    assert error["param"] == param


async def assert_still_works(service: Service) -> None:
    """A good request, on a connection of its own, gets a good answer."""
    async with service.http() as client:
        response = await client.post(CHAT, json=chat())
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"] == payloads.ANSWER
