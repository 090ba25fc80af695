"""A scope with an agent of its own, and a model that needs no files."""

import pytest
import pytest_asyncio

from ibex.memory.memory import Scope
from tests.memory.searching.embedding import BagOfWords
from tests.operator import Operator


@pytest_asyncio.fixture
async def scope(operator: Operator) -> Scope:
    """An end user of an agent."""
    org_id = await operator.organization()
    return Scope(org_id, (await operator.agent(org_id)).id, "ada")


@pytest.fixture
def embedder() -> BagOfWords:
    return BagOfWords()
