"""Who may ask."""

from typing import Any
from uuid import UUID

import grpc
import pytest

from ibex.auth import ALL, ALL_RIGHTS, NO_PERMISSION, PlatformRight
from ibex.auth.tokens import secret
from ibex.auth.v1 import auth_pb2
from ibex.http import parse_networks
from ibex.ids import uuid7
from tests.auth.rpc.calling import Caller, Refusal
from tests.faults.waiting import until
from tests.operator import PEPPER, Operator
from tests.service import Service


async def ask(caller: Caller, *metadata: tuple[str, str], message: bytes = b"") -> Refusal:
    """What somebody is told who sends just these metadata."""
    method = caller.method("/ibex.auth.v1.AuthService/ValidateToken")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await method(message, metadata=metadata, timeout=10)
    return Refusal.of(raised.value)


async def denied(caller: Caller, service: Service, token: str) -> Refusal:
    refused = await caller.as_holder_of(token).refusal(service.token)
    assert refused is not None
    return refused


async def test_whoever_sends_no_token_is_unauthenticated(caller: Caller) -> None:
    refused = await ask(caller)

    assert refused.reason == ("UNAUTHENTICATED", "MISSING_TOKEN", "caller")
    assert "authorization: Bearer" in refused.message


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer hello", "Basic aGVsbG8=", "hello"])
async def test_whoever_sends_something_else_is_unauthenticated(caller: Caller, value: str) -> None:
    assert (await ask(caller, ("authorization", value))).reason == (
        "UNAUTHENTICATED",
        "INVALID_TOKEN",
        "caller",
    )


async def test_two_tokens_are_one_too_many(caller: Caller) -> None:
    (own,) = caller.metadata

    refused = await ask(caller, own, ("authorization", "Bearer another"))

    assert refused.reason == ("INVALID_ARGUMENT", "VALIDATION_ERROR", "request")


async def test_the_scheme_may_be_written_as_one_likes(caller: Caller, service: Service) -> None:
    ((name, value),) = caller.metadata
    message = auth_pb2.ValidateTokenRequest(access_token=service.token)

    answer = await caller.stub.ValidateToken(
        message, metadata=[(name, value.replace("Bearer", "bearer"))], timeout=10
    )

    assert answer.org_id == str(service.org_id)


async def test_whoever_lacks_the_right_is_denied_and_learns_nothing(
    caller: Caller, service: Service, operator: Operator
) -> None:
    everything_else = (
        await operator.issue(service.org_id, ALL, platform=ALL_RIGHTS & ~PlatformRight.VALIDATE)
    ).text

    answers = {
        await caller.as_holder_of(everything_else).refusal(text)
        for text in (service.token, "hello", "", everything_else)
    }

    (refused,) = answers
    assert refused is not None
    assert refused.reason == ("PERMISSION_DENIED", "INSUFFICIENT_PERMISSIONS", "caller")
    assert "platform:validate" in refused.message


async def test_a_made_up_token_and_one_of_another_installation_are_alike(
    caller: Caller, service: Service
) -> None:
    made_up = secret.generate(uuid7())

    refusals = {
        await denied(caller, service, text)
        for text in (made_up.text(PEPPER), made_up.text(b"the pepper of another installation"), "hello")
    }

    assert len(refusals) == 1


async def test_a_service_token_may_be_bound_to_the_networks_of_its_holder(
    caller: Caller, service: Service, operator: Operator
) -> None:
    async def issue(network: str) -> str:
        return await _service_token(operator, service.org_id, networks=parse_networks([network]))

    assert await caller.as_holder_of(await issue("127.0.0.0/8")).refusal(service.token) is None
    refused = await denied(caller, service, await issue("10.0.0.0/8"))
    assert refused.reason == ("PERMISSION_DENIED", "NETWORK_NOT_ALLOWED", "caller")


async def test_a_revoked_service_token_is_refused_within_a_second(
    caller: Caller, service: Service, operator: Operator
) -> None:
    text = await _service_token(operator, service.org_id)
    holder = caller.as_holder_of(text)
    assert await holder.refusal(service.token) is None

    await operator.revoke(service.org_id, text)

    async def is_refused() -> bool:
        refused = await holder.refusal(service.token)
        return refused is not None and refused.reason == ("UNAUTHENTICATED", "TOKEN_REVOKED", "caller")

    await until(is_refused, seconds=1)


async def test_a_service_token_of_a_suspended_organization_is_denied(
    caller: Caller, service: Service, operator: Operator
) -> None:
    org_id = await operator.organization("partner")
    holder = caller.as_holder_of(await _service_token(operator, org_id))
    assert await holder.refusal(service.token) is None

    await operator.administration.organizations.suspend(operator.actor(org_id), org_id)

    async def is_refused() -> bool:
        refused = await holder.refusal(service.token)
        return refused is not None and refused.reason == (
            "PERMISSION_DENIED",
            "ORGANIZATION_SUSPENDED",
            "caller",
        )

    await until(is_refused, seconds=1)


async def test_neither_token_is_in_what_is_said(caller: Caller, service: Service, operator: Operator) -> None:
    weak = await operator.token(service.org_id)
    said = [
        await denied(caller, service, weak),
        await denied(caller, service, weak[:-1]),
        await caller.refusal(service.token[:-1]),
        await caller.refusal(service.token, client_address=service.token),
        await caller.agent_refusal(service.token, agent=service.token),
    ]

    for text in (weak[:-1], service.token[:-1]):
        assert text not in repr(said)
        assert text.rpartition("_")[2] not in repr(said)


async def _service_token(operator: Operator, org_id: UUID, **fields: Any) -> str:
    issued = await operator.issue(org_id, NO_PERMISSION, None, platform=PlatformRight.VALIDATE, **fields)
    return issued.text
