"""The outermost layer answers even where an endpoint fails."""

import logging
from collections.abc import Collection, Mapping
from types import MappingProxyType

import httpx2
import pytest

from ibex.http import Edge, Receive, Scope, Send, respond


async def nothing() -> None:
    """Start and stop without ado."""


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("what the client said")


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, 200, b'{"hello":"you"}')


class Notes:
    """An application that is mounted beside the table of paths."""

    paths: Mapping[str, Collection[str]] = MappingProxyType({"/v1/notes": ("GET",)})

    def serves(self, path: str) -> bool:
        return path.startswith("/v1/notes")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, b'{"noted":true}')


@pytest.fixture
def client() -> httpx2.AsyncClient:
    edge = Edge(
        {"/fail": {"GET": fail}, "/greet": {"GET": greet}},
        Notes(),
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
        answer = await client.post("/v1/messages")
        (body, other) = (answer.json(), (await client.post("/v1/v1/messages")).json())
    assert body["type"] == other["type"] == "error"
    assert body["error"]["type"] == "not_found_error"
    assert body["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
    assert "adds /v1 to its base URL itself" in other["error"]["message"]


async def test_what_is_mounted_answers_for_its_own_paths_only(client: httpx2.AsyncClient) -> None:
    async with client:
        assert (await client.get("/v1/notes/7")).json() == {"noted": True}
        assert (await client.get("/v1/other")).status_code == 404
        # Whoever leaves out the /v1 is told.
        assert "try /v1/notes" in (await client.get("/notes")).json()["error"]["message"]
