"""Every refusal is the typed exception that the official client has for it, with a code of its own."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import openai
import pytest

from ibex.auth import ALL, CHAT, Actor, Administration, Grant, Permission, TokenRequest
from tests.end_to_end.instance import Instance
from tests.providers import behaviours
from tests.providers.threaded import ThreadedStub

HELLO: Any = [{"role": "user", "content": "Hello!"}]
Work = Callable[[Administration, UUID], Awaitable[str]]


def call(instance: Instance, token: str | None = None, model: str = "mock", **headers: str) -> Any:
    with instance.openai(token) as client:
        return client.chat.completions.create(
            model=model,
            messages=HELLO,
            extra_headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


def code_of(raised: pytest.ExceptionInfo[Any]) -> str | None:
    error = raised.value
    assert isinstance(error, openai.APIStatusError)
    assert error.body["docs_url"].endswith(f"/errors/{error.code}")  # type: ignore[index]
    return error.code


def token_for(
    instance: Instance,
    permissions: Permission = CHAT,
    agent: str | None = None,
    default_agent: str | None = None,
) -> str:
    """A new token of the default organization."""

    async def work(administration: Administration, org_id: UUID) -> str:
        async def id_of(slug: str | None) -> UUID | None:
            return (await administration.agents.find_by_slug(org_id, slug)).id if slug else None

        request = TokenRequest(
            "test",
            Grant(permissions),
            agent_id=await id_of(agent),
            default_agent_id=await id_of(default_agent),
        )
        return (await administration.tokens.create(Actor.local(org_id, "test"), request)).text

    return instance.administer(work)


def revoked(instance: Instance) -> str:
    created = token_for(instance, default_agent="default")
    call(instance, created)
    assert instance.ibex("token", "revoke", created.split("_")[2]).returncode == 0
    return created


def expired(instance: Instance) -> str:
    created = token_for(instance, default_agent="default")

    async def expire(administration: Administration, org_id: UUID) -> int:
        return await administration.postgres.execute(
            org_id, "UPDATE ibex.tokens SET expires_at = now() WHERE id = %s", (created.split("_")[2],)
        )

    assert instance.administer(expire) == 1
    return created


def mistyped(instance: Instance) -> str:
    return instance.token[:-1] + ("a" if instance.token[-1] != "a" else "b")


def foreign(instance: Instance) -> str:
    return "sk-proj-0123456789abcdef"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (revoked, "TOKEN_REVOKED"),
        (expired, "TOKEN_EXPIRED"),
        (mistyped, "INVALID_TOKEN"),
        (foreign, "INVALID_TOKEN"),
    ],
)
def test_a_token_that_is_not_valid(shared: Instance, make: Callable[[Instance], str], code: str) -> None:
    with pytest.raises(openai.AuthenticationError) as raised:
        call(shared, make(shared))
    assert code_of(raised) == code


async def test_the_asynchronous_client_raises_the_same(shared: Instance) -> None:
    async with shared.async_openai("nonsense") as client:
        with pytest.raises(openai.AuthenticationError) as raised:
            await client.chat.completions.create(model="mock", messages=HELLO, stream=True)
    assert code_of(raised) == "INVALID_TOKEN"


def test_a_missing_permission(shared: Instance) -> None:
    token = token_for(shared, Permission.MEMORY_READ, default_agent="default")
    with pytest.raises(openai.PermissionDeniedError) as raised:
        call(shared, token)
    assert code_of(raised) == "INSUFFICIENT_PERMISSIONS"


def test_the_agent_of_another_organization_and_one_that_does_not_exist(shared: Instance) -> None:
    async def other(administration: Administration, org_id: UUID) -> str:
        organization = await administration.organizations.create("test", "Other")
        return str((await administration.agents.create(Actor.local(organization.id, "test"), "Theirs")).id)

    for agent in (shared.administer(other), "01900000-0000-7000-8000-000000000000", "theirs"):
        with pytest.raises(openai.PermissionDeniedError) as raised:
            call(shared, X_IBEX_Agent_ID=agent)
        assert code_of(raised) == "AGENT_NOT_AUTHORIZED"


def test_an_agent_that_the_token_is_not_bound_to(shared: Instance) -> None:
    assert shared.ibex("agent", "create", "Bound").returncode == 0
    token = token_for(shared, agent="bound")
    assert call(shared, token).choices
    with pytest.raises(openai.PermissionDeniedError) as raised:
        call(shared, token, X_IBEX_Agent_ID="default")
    assert code_of(raised) == "AGENT_NOT_AUTHORIZED"


def test_a_token_without_an_agent_must_name_one(shared: Instance) -> None:
    token = token_for(shared)
    assert call(shared, token, X_IBEX_Agent_ID="default").choices
    with pytest.raises(openai.BadRequestError) as raised:
        call(shared, token)
    assert code_of(raised) == "MISSING_AGENT_ID"


def test_a_malformed_request(shared: Instance) -> None:
    with shared.openai() as client, pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="mock", messages=[])
    assert code_of(raised) == "VALIDATION_ERROR"
    assert raised.value.param == "messages"


def test_the_limit_of_a_token(shared: Instance) -> None:
    token = token_for(shared, ALL, default_agent="default")

    def spend() -> None:
        for _ in range(61):
            call(shared, token)

    with pytest.raises(openai.RateLimitError) as raised:
        spend()
    assert code_of(raised) == "RATE_LIMITED"
    assert int(raised.value.response.headers["retry-after"]) >= 1


def test_a_model_that_nobody_serves(shared: Instance) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        call(shared, model="nobody-serves-this")
    assert raised.value.status_code == 501
    assert code_of(raised) == "PROVIDER_NOT_CONFIGURED"
    assert "stub/stub-*" in raised.value.message


@pytest.mark.parametrize(
    ("model", "kind", "status"),
    [
        ("mock-error-400", openai.BadRequestError, 400),
        ("mock-error-401", openai.InternalServerError, 503),
        ("mock-error-404", openai.NotFoundError, 404),
        ("mock-error-422", openai.UnprocessableEntityError, 422),
        ("mock-error-429", openai.RateLimitError, 429),
        ("mock-error-500", openai.InternalServerError, 500),
    ],
)
def test_the_errors_of_a_provider(
    shared: Instance, model: str, kind: type[openai.APIStatusError], status: int
) -> None:
    with pytest.raises(kind) as raised:
        call(shared, model=model)
    assert raised.value.status_code == status


def test_a_refused_key_is_our_failure_and_is_not_shown(shared: Instance, stub: ThreadedStub) -> None:
    stub.script(behaviours.status(401))
    with pytest.raises(openai.InternalServerError) as raised:
        call(shared, model="stub-model")
    assert (raised.value.status_code, raised.value.code) == (503, "PROVIDER_UNAVAILABLE")
    assert "0123456789" not in str(raised.value.body)


def test_a_stream_that_the_provider_breaks_off(shared: Instance, stub: ThreadedStub) -> None:
    stub.script(behaviours.break_mid_line)
    with (
        shared.openai() as client,
        client.chat.completions.create(model="stub-model", messages=HELLO, stream=True) as stream,
        pytest.raises(openai.APIError) as raised,
    ):
        list(stream)
    assert raised.value.code == "PROVIDER_ERROR"
