"""Postgres away: an organization's key that is at hand is used, and one that is not is never made up for."""

from collections.abc import Awaitable, Callable

import pytest

from ibex.auth import Change
from tests.faults.calls import chat, code_of, is_admitted
from tests.faults.conftest import Fault
from tests.faults.waiting import until
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service

OWN = "sk-of-acme-0123456789abcdefa1b2"
FAULTS = pytest.mark.parametrize(
    "happen", [Fault.refuse, Fault.hang, Fault.die], ids=["refuses", "hangs", "dies"]
)

Happen = Callable[[Fault], Awaitable[None]]


async def give(service: Service, operator: Operator, stub: StubProvider) -> None:
    """The organization has a key, and the service has called with it."""
    await operator.administration.credentials.put(operator.actor(service.org_id), "openai", OWN)

    async def is_used() -> bool:
        return (await chat(service)).status_code == 200 and stub.requests[-1].key == OWN

    await until(is_used)


@FAULTS
async def test_a_key_that_is_at_hand_is_used(
    service: Service, operator: Operator, stub_provider: StubProvider, postgres_fault: Fault, happen: Happen
) -> None:
    await give(service, operator, stub_provider)
    await happen(postgres_fault)
    asked = len(stub_provider.requests)
    # On a busy machine a process may hear nothing for a moment, and then trusts nothing until it does again.
    for _ in range(3):
        await until(lambda: is_admitted(service, service.token))
    assert [request.key for request in stub_provider.requests[asked:]] == [OWN] * 3


@FAULTS
async def test_the_installations_key_does_not_take_the_place_of_one_that_cannot_be_had(
    service: Service, operator: Operator, stub_provider: StubProvider, postgres_fault: Fault, happen: Happen
) -> None:
    await give(service, operator, stub_provider)
    await happen(postgres_fault)
    asked = len(stub_provider.requests)

    async def is_forgotten() -> bool:
        await operator.administration.changes.announce(Change("credentials", service.org_id))
        return (await chat(service)).status_code == 503

    await until(is_forgotten)
    refused = await chat(service)
    assert (refused.status_code, code_of(refused)) == (503, "CREDENTIALS_UNAVAILABLE")
    assert refused.headers["retry-after"] == "1"
    assert {request.key for request in stub_provider.requests[asked:]} <= {OWN}
    await postgres_fault.heal()
    await until(lambda: is_admitted(service, service.token), seconds=15)
    assert stub_provider.requests[-1].key == OWN
