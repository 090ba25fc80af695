"""A chain that a test may break."""

import pytest_asyncio

from tests.auth.audit.chains import Chain
from tests.fixtures import Database
from tests.operator import Operator


@pytest_asyncio.fixture
async def chain(operator: Operator, database: Database) -> Chain:
    """The audit of a new organization: its creation, and that of its agent."""
    return Chain(operator, database, await operator.organization())
