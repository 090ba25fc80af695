"""A model that several providers serve is had from the next one when one fails."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.fixtures import Database
from tests.operator import Operator
from tests.providers import behaviours
from tests.providers.behaviours import Behaviour, status
from tests.providers.stub import StubProvider
from tests.proxy.asking import CHAT, assert_refused, chat
from tests.proxy.conftest import UNLIMITED
from tests.proxy.records import turn
from tests.service import API_KEY, Service


@dataclass(frozen=True, slots=True)
class Pair:
    """A service whose alias `best` is `alpha` at the first provider and `beta` at the second."""

    service: Service
    first: StubProvider
    second: StubProvider
    database: Database

    async def ask(self, model: str = "best", *, stream: bool = False, session: str = "s") -> httpx2.Response:
        async with self.service.http() as client:
            return await client.post(
                CHAT, json=chat(model, stream=stream), headers={"X-IBEX-Session-ID": session}
            )


@pytest_asyncio.fixture
async def pair(database: Database, operator: Operator, stub_provider: StubProvider) -> AsyncIterator[Pair]:
    async with StubProvider() as second:
        settings: dict[str, Any] = {
            "providers": {"first": _provider(stub_provider), "second": _provider(second)},
            "aliases": {"best": ["first/alpha", "second/beta"]},
        }
        async with Service.start(
            database.service_dsn, database.redis_url, operator, None, **UNLIMITED, **settings
        ) as service:
            yield Pair(service, stub_provider, second, database)


def _provider(stub: StubProvider) -> dict[str, Any]:
    return {
        "base_url": stub.base_url,
        "api_key": API_KEY,
        "timeouts": {"connect": 1.0, "first_byte": 1.0, "idle": 1.0},
        "retries": {"attempts": 1, "backoff": 0.01, "longest_wait": 1.0},
    }


async def test_the_first_that_answers_is_the_one(pair: Pair) -> None:
    response = await pair.ask()
    assert response.json()["model"] == "alpha"
    assert (len(pair.first.requests), len(pair.second.requests)) == (1, 0)


@pytest.mark.parametrize(
    ("failure", "attempts"),
    [
        (status(500), 2),
        (status(503), 1),
        (status(429), 1),
        (status(401), 1),
        (status(402), 1),
        (status(404), 1),
        (behaviours.close_before_headers, 2),
        (behaviours.html, 2),
        (behaviours.hang_before_headers, 1),
        (behaviours.hang_after_headers, 1),
    ],
)
async def test_the_next_is_asked_when_one_fails(pair: Pair, failure: Behaviour, attempts: int) -> None:
    pair.first.on("alpha", failure)
    response = await pair.ask(stream=True, session="next")
    assert '"model":"beta"' in response.text
    assert len(pair.first.requests) == attempts
    row = await turn(pair.database, "next")
    assert (row["provider"], row["model"], row["model_served"]) == ("second", "best", "beta")
    assert (row["attempts"], row["outcome"]) == (attempts + 1, "ok")


@pytest.mark.parametrize("code", [400, 413, 422])
async def test_a_request_that_is_wrong_is_not_asked_of_anybody_else(pair: Pair, code: int) -> None:
    pair.first.on("alpha", status(code))
    assert (await pair.ask()).status_code == code
    assert not pair.second.requests


async def test_nobody_else_is_asked_once_an_answer_has_begun(pair: Pair) -> None:
    pair.first.on("alpha", behaviours.break_at_event)
    assert "PROVIDER_ERROR" in (await pair.ask(stream=True)).text
    assert not pair.second.requests


async def test_when_all_fail_the_last_failure_is_told(pair: Pair) -> None:
    pair.first.on("alpha", status(500))
    pair.second.on("beta", status(401))
    assert_refused(await pair.ask(), 503, "PROVIDER_UNAVAILABLE", "`second` refuses")


async def test_a_provider_that_keeps_failing_is_left_alone(pair: Pair) -> None:
    await pair.first.stop()
    for _ in range(5):
        assert (await pair.ask()).json()["model"] == "beta"
    refused = await pair.ask("first/alpha", session="open")
    assert_refused(refused, 503, "PROVIDER_UNAVAILABLE", "`first` has kept failing")
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert (await turn(pair.database, "open"))["attempts"] == 0
    await pair.first.start()
    assert (await pair.ask()).json()["model"] == "beta"
    assert not pair.first.requests


async def test_a_failure_is_told_under_the_name_of_the_provider_that_failed(pair: Pair) -> None:
    await pair.second.stop()
    for _ in range(5):
        await pair.ask("second/beta")
    pair.first.on("alpha", status(401))
    assert_refused(await pair.ask(), 503, "PROVIDER_UNAVAILABLE", "`first` refuses")
