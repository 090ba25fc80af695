from collections.abc import AsyncIterator

import pytest_asyncio

from tests.context.learning.school import School
from tests.fixtures import Database
from tests.operator import Operator


@pytest_asyncio.fixture
async def school(database: Database, operator: Operator) -> AsyncIterator[School]:
    async with School.open(database, operator) as open_one:
        yield open_one
