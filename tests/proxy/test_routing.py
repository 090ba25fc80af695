"""Which provider gets a request."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import pytest
import pytest_asyncio

from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.exchange import Request
from tests.providers.stub import StubProvider
from tests.proxy.asking import CHAT, assert_refused, chat
from tests.proxy.conftest import UNLIMITED
from tests.service import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Two:
    """A service with two providers: `acme` serves two names and a pattern, `other` whatever starts with o."""

    service: Service
    acme: StubProvider
    other: StubProvider

    async def ask(self, model: str) -> tuple[httpx2.Response, str, str]:
        """The answer, who gave it, and under which name it was asked for."""
        before = len(self.acme.requests), len(self.other.requests)
        async with self.service.http() as client:
            response = await client.post(CHAT, json=chat(model))
        asked = [("acme", r) for r in self.acme.requests[before[0] :]]
        asked += [("other", r) for r in self.other.requests[before[1] :]]
        [(name, request)] = asked or [("nobody", Request("", "", (), b"{}", 0))]
        return response, name, request.model


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(standing_database: Database) -> AsyncIterator[Two]:
    dsn, redis_url = standing_database.service_dsn, standing_database.redis_url
    async with Operator(dsn, redis_url) as operator, StubProvider() as acme, StubProvider() as other:
        settings: dict[str, Any] = {
            "providers": {
                "acme": {"base_url": acme.base_url, "models": ["large", "org/small", "gpt-4*", "o-acme"]},
                "other": {"base_url": other.base_url, "models": ["large", "o*", "exact-[12]"]},
            },
            "aliases": {"fast": "other/o-mini", "quick": ["gpt-4o-mini"], "large-alias": ["none", "large"]},
        }
        async with Service.start(dsn, redis_url, operator, None, **UNLIMITED, **settings) as service:
            yield Two(service, acme, other)


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("acme/large", "acme", "large"),
        ("other/large", "other", "large"),
        ("large", "acme", "large"),
        ("org/small", "acme", "org/small"),
        ("acme/org/small", "acme", "org/small"),
        ("gpt-4o-mini", "acme", "gpt-4o-mini"),
        ("acme/gpt-4o-mini", "acme", "gpt-4o-mini"),
        ("o3", "other", "o3"),
        ("o-acme", "acme", "o-acme"),
        ("exact-2", "other", "exact-2"),
        ("fast", "other", "o-mini"),
        ("quick", "acme", "gpt-4o-mini"),
        ("large-alias", "acme", "large"),
    ],
)
async def test_a_model_finds_its_provider(two: Two, model: str, provider: str, name: str) -> None:
    response, *asked = await two.ask(model)
    assert response.status_code == 200
    assert asked == [provider, name]


@pytest.mark.parametrize(
    "model", ["claude", "acme/o3", "nobody/large", "LARGE", "exact-3", "acme/", "/large"]
)
async def test_a_model_nobody_serves_is_told_what_there_is(two: Two, model: str) -> None:
    response, provider, _ = await two.ask(model)
    assert_refused(response, 501, "PROVIDER_NOT_CONFIGURED", f"`{model}`", "model")
    assert provider == "nobody"
    message = response.json()["error"]["message"]
    for name in ("fast", "quick", "large", "org/small", "acme/gpt-4*", "other/o*"):
        assert name in message


async def test_the_sdk_raises_its_own_error_for_it(two: Two) -> None:
    async with two.service.openai() as client:
        with pytest.raises(openai.InternalServerError) as raised:
            await client.chat.completions.create(
                model="claude", messages=[{"role": "user", "content": "hello"}]
            )
    assert (raised.value.status_code, raised.value.code) == (501, "PROVIDER_NOT_CONFIGURED")
