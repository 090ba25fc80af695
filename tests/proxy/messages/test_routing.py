"""A call goes to a provider that speaks its dialect; where there is none, it is said which dialect to use."""

from collections.abc import AsyncIterator

import anthropic as sdk
import pytest
import pytest_asyncio

from tests.fixtures import Database
from tests.operator import Operator
from tests.providers import messages, payloads
from tests.providers.behaviours import status
from tests.providers.stub import StubProvider
from tests.proxy.asking import CHAT, assert_refused, chat
from tests.proxy.conftest import UNLIMITED
from tests.proxy.messages.asking import MESSAGES, anthropic, asked, error_of
from tests.proxy.records import turn
from tests.service import API_KEY, Service


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    """In front of a provider of each kind, two of whose models have an alias together."""
    stub = {
        "base_url": stub_provider.base_url,
        "api_key": API_KEY,
        "retries": {"attempts": 0},
    }
    settings = {
        **UNLIMITED,
        "providers": {
            "openai": {**stub, "models": ["gpt-*", "shared"]},
            "anthropic": {**stub, "kind": "anthropic", "models": ["claude-*", "shared"]},
            "other": {**stub, "kind": "anthropic", "models": ["claude-second"]},
        },
        "aliases": {"either": ["gpt-4o", "claude-first", "other/claude-second"]},
    }
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, **settings
    ) as running:
        yield running


@pytest.mark.parametrize("model", ["shared", "either"])
async def test_the_dialect_chooses_among_the_providers_of_a_model(
    service: Service, stub_provider: StubProvider, model: str
) -> None:
    async with service.http() as client:
        in_openais = await client.post(CHAT, json=chat(model))
        in_anthropics = await client.post(MESSAGES, json=asked(model))
    assert in_openais.json()["choices"][0]["message"]["content"] == payloads.ANSWER
    assert in_anthropics.json()["content"][0]["text"] == messages.ANSWER
    assert [request.path for request in stub_provider.requests] == ["/v1/chat/completions", "/v1/messages"]


async def test_an_alias_falls_back_within_the_dialect(
    service: Service, stub_provider: StubProvider, database: Database
) -> None:
    stub_provider.on_messages("claude-first", messages.status(529))
    async with service.http() as client:
        answer = await client.post(MESSAGES, json=asked("either"), headers={"X-IBEX-Session-ID": "fell"})
    assert (answer.status_code, answer.json()["model"]) == (200, "claude-second")
    row = await turn(database, "fell")
    assert (row["provider"], row["attempts"]) == ("other", 2)


async def test_no_other_dialect_comes_to_the_rescue(service: Service, stub_provider: StubProvider) -> None:
    stub_provider.on("gpt-4o", status(503))
    async with service.http() as client:
        assert (await client.post(CHAT, json=chat("either"))).status_code == 503
    assert {request.path for request in stub_provider.requests} == {"/v1/chat/completions"}


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "anthropic/claude-haiku-4-5"])
async def test_a_model_of_the_other_dialect_is_refused_with_the_path_to_call(
    service: Service, stub_provider: StubProvider, model: str
) -> None:
    async with service.http() as client:
        refused = await client.post(CHAT, json=chat(model))
    says = (
        f"No provider serves the model `{model}` in OpenAI's dialect; "
        "`anthropic` does in Anthropic's: call /v1/messages."
    )
    assert_refused(refused, 501, "PROVIDER_NOT_CONFIGURED", says, "model")
    assert refused.headers["x-should-retry"] == "false"
    assert stub_provider.requests == ()


async def test_the_official_client_does_not_repeat_what_cannot_be_served(
    service: Service, stub_provider: StubProvider
) -> None:
    async with anthropic(service, max_retries=2) as client:
        with pytest.raises(sdk.HTTPNotImplementedError, match="call /v1/chat/completions") as raised:
            await client.messages.create(
                model="gpt-4o", max_tokens=9, messages=[{"role": "user", "content": "hello"}]
            )
    assert raised.value.error_code == "PROVIDER_NOT_CONFIGURED"
    assert service.instruments.requests.total("messages", "501") == 1


async def test_names_of_the_dialect_are_listed_for_a_model_nobody_serves(service: Service) -> None:
    async with service.http() as client:
        error = error_of(await client.post(MESSAGES, json=asked("nobody's")))
        listed = (await client.post(CHAT, json=chat("nobody's"))).json()["error"]["message"]
    assert error["message"] == (
        "No provider serves the model `nobody's`. "
        "There are: either, shared, claude-second, anthropic/claude-*."
    )
    assert listed == "No provider serves the model `nobody's`. There are: either, shared, openai/gpt-*."


async def test_an_organizations_own_key_goes_where_the_installations_does(
    service: Service, stub_provider: StubProvider, operator: Operator
) -> None:
    own = "sk-ant-of-acme-0123456789abcdef"
    await operator.administration.credentials.put(operator.actor(service.org_id), "other", own)
    async with service.http() as client:
        for _ in range(2):
            assert (await client.post(MESSAGES, json=asked("claude-second"))).status_code == 200
        stub_provider.on_messages("claude-second", messages.status(401, f"invalid x-api-key {own}"))
        refused = await client.post(MESSAGES, json=asked("claude-second"))
    for request in stub_provider.requests:
        assert (request.header("x-api-key"), request.header("authorization")) == (own, None)
    assert (refused.status_code, error_of(refused)["code"]) == (403, "PROVIDER_KEY_REFUSED")
    assert own not in refused.text
