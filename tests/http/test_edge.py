"""The outermost layer answers even where an endpoint fails."""

import logging

import httpx2
import pytest

from ibex.http import Edge, Receive, Scope, Send, respond


async def nothing() -> None:
    """Start and stop without ado."""


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("what the client said")


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, 200, b'{"hello":"you"}')


@pytest.fixture
def client() -> httpx2.AsyncClient:
    edge = Edge(
        {"/fail": {"GET": fail}, "/greet": {"GET": greet}},
        docs_base_url="http://docs",
        refused=lambda status: None,
        startup=nothing,
        shutdown=nothing,
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(edge), base_url="http://ibex")


async def test_an_endpoint_that_fails_is_an_internal_error(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    async with client:
        response = await client.get("/fail")
        assert (response.status_code, response.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
        assert response.json()["error"]["docs_url"] == "http://docs/errors/INTERNAL_ERROR"
        assert "what the client said" not in response.text
        [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.getMessage() == "GET /fail failed"
        assert (await client.get("/greet")).json() == {"hello": "you"}


async def test_anthropic_clients_are_answered_in_their_dialect(client: httpx2.AsyncClient) -> None:
    async with client:
        body = (await client.post("/v1/messages")).json()
    assert body["type"] == "error"
    assert body["error"]["type"] == "not_found_error"
