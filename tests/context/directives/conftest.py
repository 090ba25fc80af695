import pytest_asyncio

from tests.context.directives.desk import Desk
from tests.operator import Operator


@pytest_asyncio.fixture
async def desk(operator: Operator) -> Desk:
    return await Desk.of(operator, await operator.organization())
