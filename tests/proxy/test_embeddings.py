"""Embeddings go the same way as completions, without a session."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.providers import behaviours
from tests.providers.behaviours import status
from tests.proxy.asking import assert_refused, assert_still_works
from tests.proxy.conftest import Standing

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/embeddings"


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)


async def test_the_official_client_gets_vectors(standing: Standing) -> None:
    async with standing.service.openai() as client:
        answer = await client.embeddings.create(model="e", input=["one", "two"], encoding_format="float")
    assert [item.embedding for item in answer.data] == [[0.5, -0.25, 0.0, 1.0], [0.5, -0.25, 0.125, 1.0]]
    assert answer.usage.prompt_tokens == 10
    assert standing.stub.requests[-1].path == "/v1/embeddings"


async def test_unknown_fields_reach_the_provider(standing: Standing) -> None:
    body = {"model": "e", "input": [[1, 2], [3]], "dimensions": 8, "vendor": {"x": None}, "stream": True}
    async with standing.service.http() as client:
        assert (await client.post(PATH, json=body)).status_code == 200
    assert standing.stub.requests[-1].json() == body


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"model": None}, "model"),
    ],
)
async def test_a_field_that_cannot_be_accepted_is_named(
    standing: Standing, fields: dict[str, Any], param: str
) -> None:
    async with standing.service.http() as client:
        response = await client.post(PATH, json={"model": "e", "input": "x", **fields})
    assert_refused(response, 400, "VALIDATION_ERROR", f"`{param}`", param)


async def test_a_failure_is_told_as_for_completions(standing: Standing) -> None:
    async with standing.service.openai() as client:
        for behaviour, kind in (
            (status(400), openai.BadRequestError),
            (status(401), openai.InternalServerError),
            (status(429), openai.RateLimitError),
            (behaviours.html, openai.InternalServerError),
            (behaviours.close_before_headers, openai.InternalServerError),
        ):
            standing.stub.on_path("/embeddings", behaviour)
            with pytest.raises(kind):
                await client.embeddings.create(model="e", input="x")
