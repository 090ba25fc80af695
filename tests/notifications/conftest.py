"""An organization whose webhooks lead to an endpoint on this machine."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.notifications.endpoint import Endpoint
from tests.notifications.office import Office
from tests.operator import Operator


@pytest_asyncio.fixture
async def office(operator: Operator) -> Office:
    return Office(operator, await operator.organization())


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as listening:
        yield listening
