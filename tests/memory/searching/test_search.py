"""A search finds what its scope may see, as it is now."""

from uuid import UUID

import pytest_asyncio

from ibex.memory.memory import Scope
from ibex.memory.searching import MemorySearch, SearchAnswer, SearchQuery
from tests.memory.searching.storing import Stored, store
from tests.operator import Operator


@pytest_asyncio.fixture
async def scope(operator: Operator) -> Scope:
    """An end user of an agent."""
    org_id = await operator.organization()
    return Scope(org_id, (await operator.agent(org_id)).id, "ada")


def texts(answer: SearchAnswer) -> list[str]:
    return [found.memory.content for found in answer.results]


async def test_what_shares_words_with_the_question_is_found(operator: Operator, scope: Scope) -> None:
    search = MemorySearch(operator.postgres, None)
    await store(
        operator.postgres,
        scope.org_id,
        Stored("Ada plays the cello.", scope.agent_id, "ada"),
        Stored("The kettle is broken.", scope.agent_id, "ada"),
    )
    answer = await search.search(scope, SearchQuery("Who plays the cello?"))
    assert texts(answer) == ["Ada plays the cello."]
    assert answer.degraded is not None
