"""How much is left is told with every answer, and what is too much is refused in the caller's dialect."""

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest
import pytest_asyncio

from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.proxy.asking import CHAT, assert_refused, chat
from tests.proxy.conftest import UNLIMITED
from tests.proxy.records import turns
from tests.service import Service

# A minute, and the second that counting in whole seconds may add.
RESET = 60


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    """Five requests a minute for a token, eight for the agent."""
    settings = {**UNLIMITED, "limits": {"token_rpm": 5, "agent_rpm": 8, "organization_rpm": 1_000}}
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, **settings
    ) as running:
        yield running


async def test_what_is_left_counts_down_to_a_refusal(
    service: Service, stub_provider: StubProvider, database: Database
) -> None:
    async with service.http() as client:
        for left in (4, 3, 2, 1, 0):
            response = await client.post(CHAT, json=chat())
            assert response.status_code == 200
            assert response.headers["x-ratelimit-limit"] == "5"
            assert response.headers["x-ratelimit-remaining"] == str(left)
            assert 0 < int(response.headers["x-ratelimit-reset"]) <= RESET
        response = await client.post(CHAT, json=chat())
    assert_refused(response, 429, "RATE_LIMITED", "token has reached its limit of 5 requests per minute")
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(response.headers["retry-after"]) <= RESET
    assert len(stub_provider.requests) == 5
    assert len(await turns(database, 5)) == 5


async def test_the_narrowest_limit_is_the_one_that_is_told(service: Service, operator: Operator) -> None:
    second = await operator.token(service.org_id, name="second")
    async with service.http() as client:
        for _ in range(5):
            assert (await client.post(CHAT, json=chat())).status_code == 200
        client.headers["Authorization"] = f"Bearer {second}"
        for left in ("2", "1", "0"):
            response = await client.post(CHAT, json=chat())
            assert (response.headers["x-ratelimit-limit"], response.headers["x-ratelimit-remaining"]) == (
                "8",
                left,
            )
        assert_refused(await client.post(CHAT, json=chat()), 429, "RATE_LIMITED", "agent has reached")


async def test_the_sdk_raises_its_own_error_for_it(service: Service) -> None:
    async with service.openai() as client:
        for _ in range(5):
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        with pytest.raises(openai.RateLimitError) as limited:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert (limited.value.code, limited.value.type) == ("RATE_LIMITED", "rate_limit_error")
    assert limited.value.body is not None


async def test_requests_that_come_together_are_counted_one_by_one(service: Service) -> None:
    async with service.http() as client:
        responses = await asyncio.gather(*(client.post(CHAT, json=chat()) for _ in range(20)))
    assert sorted(response.status_code for response in responses) == [200] * 5 + [429] * 15
    left = sorted(r.headers["x-ratelimit-remaining"] for r in responses if r.status_code == 200)
    assert left == ["0", "1", "2", "3", "4"]


async def test_a_stream_says_it_too(service: Service) -> None:
    async with service.http() as client:
        response = await client.post(CHAT, json=chat(stream=True))
    assert response.headers["x-ratelimit-remaining"] == "4"


async def test_a_body_that_is_refused_counts_for_nothing(service: Service) -> None:
    async with service.http() as client:
        for _ in range(10):
            assert (await client.post(CHAT, json={})).status_code == 400
        assert (await client.post(CHAT, json=chat())).headers["x-ratelimit-remaining"] == "4"
