from collections.abc import AsyncIterator

import pytest_asyncio

from tests.context.stage import Stage
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider


@pytest_asyncio.fixture
async def stage(database: Database, operator: Operator, stub_provider: StubProvider) -> AsyncIterator[Stage]:
    async with Stage.set_up(database, operator, stub_provider) as ready:
        yield ready
