from collections.abc import AsyncIterator

import pytest_asyncio

from tests.memory.rest import memories_of
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service


@pytest_asyncio.fixture
async def api(service: Service, operator: Operator) -> AsyncIterator[Api]:
    """A client with every permission, bound to the agent `helper`."""
    async with memories_of(service, operator) as client:
        yield client
