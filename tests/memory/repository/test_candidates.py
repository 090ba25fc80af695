"""Candidates from large partitions: nothing that a filter lets through is missed for its sake."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from ibex.memory.memory import Scope
from ibex.memory.repository import candidates, index_rows
from ibex.memory.repository.index_rows import PartitionState
from ibex.memory.repository.nearest import Nearest, VectorIndexes, nearest, nearest_of_all
from ibex.memory.repository.selection import Selection
from tests.memory.searching.conftest import embedder, scope
from tests.memory.searching.embedding import BagOfWords
from tests.memory.searching.storing import Stored, store
from tests.operator import Operator

__all__ = ["embedder", "scope"]

WAYS = pytest.mark.parametrize("is_indexed", [True, False], ids=["index", "signs"])


async def stored(
    operator: Operator, embedder: BagOfWords, org_id: UUID, agent_id: UUID, count: int
) -> tuple[list[Stored], PartitionState]:
    """A partition of memories of which every hundredth has the tag `rare`."""
    texts = [f"number {number} of the crowd" for number in range(count)]
    memories = [
        Stored(text, agent_id, tags=[] if number % 100 else ["rare"], vector=embedder.vector(text))
        for number, text in enumerate(texts)
    ]
    await store(operator.postgres, org_id, *memories)
    (state,) = await index_rows.partition_states(operator.postgres, Scope(org_id, agent_id))
    return memories, state


async def agent_of(operator: Operator) -> tuple[UUID, UUID]:
    org_id = await operator.organization()
    return org_id, (await operator.agent(org_id)).id


async def test_the_index_is_for_many_memories_of_a_model_that_has_one(operator: Operator) -> None:
    org_id, _ = await agent_of(operator)
    indexes = VectorIndexes(operator.postgres)
    assert await indexes.serve(org_id, 1, 1_000_000)
    assert not await indexes.serve(org_id, 1, 1_000)
    assert not await indexes.serve(org_id, 32_000, 1_000_000)


@WAYS
async def test_the_closest_in_meaning_are_found(
    operator: Operator, embedder: BagOfWords, is_indexed: bool
) -> None:
    org_id, agent_id = await agent_of(operator)
    memories, state = await stored(operator, embedder, org_id, agent_id, 400)
    selection = Selection(org_id, [state.id])
    to = Nearest(1, embedder.vector(memories[123].content))
    found = await nearest(operator.postgres, selection, to, 100, is_indexed=is_indexed)
    assert len(found) == 100
    assert max(found, key=lambda id_: found[id_]) == memories[123].id
    assert found[memories[123].id] == pytest.approx(1, abs=1e-2)
    closest = await nearest_of_all(operator.postgres, selection, to, 10)
    assert {id_: found[id_] for id_ in closest} == pytest.approx(closest)


@WAYS
async def test_a_filter_that_few_meet_hides_none_of_them(
    operator: Operator, embedder: BagOfWords, is_indexed: bool
) -> None:
    org_id, agent_id = await agent_of(operator)
    memories, state = await stored(operator, embedder, org_id, agent_id, 1_000)
    selection = Selection(org_id, [state.id], tags_all=["rare"])
    to = Nearest(1, embedder.vector(memories[123].content))
    found = await nearest(operator.postgres, selection, to, 50, is_indexed=is_indexed)
    assert set(found) == {memory.id for memory in memories[::100]}


@WAYS
async def test_vectors_of_other_partitions_are_not_looked_at(
    operator: Operator, embedder: BagOfWords, is_indexed: bool
) -> None:
    org_id, agent_id = await agent_of(operator)
    memories, state = await stored(operator, embedder, org_id, agent_id, 20)
    other = await operator.create_agent(org_id, "Other", "other")
    await stored(operator, embedder, org_id, other.id, 300)
    to = Nearest(1, embedder.vector("number 299 of the crowd"))
    found = await nearest(operator.postgres, Selection(org_id, [state.id]), to, 50, is_indexed=is_indexed)
    assert set(found) == {memory.id for memory in memories}


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["7"], [7]), (["number"], range(20)), (["number", "7"], [7]), (["7", "8"], []), (["it's", "\\"], [])],
)
async def test_memories_with_all_of_some_words_are_found(
    operator: Operator, embedder: BagOfWords, words: list[str], expected: Sequence[int]
) -> None:
    org_id, agent_id = await agent_of(operator)
    memories, state = await stored(operator, embedder, org_id, agent_id, 20)
    selection = Selection(org_id, [state.id])
    (found,) = await candidates.with_words(operator.postgres, selection, [words], 100)
    assert set(found) == {memories[number].id for number in expected}


async def test_words_of_another_organization_are_not_found(operator: Operator, embedder: BagOfWords) -> None:
    org_id, agent_id = await agent_of(operator)
    _, state = await stored(operator, embedder, org_id, agent_id, 3)
    other = await operator.organization("other")
    # Whoever asks, with whatever numbers of partitions: the function keeps to the tenant of the transaction.
    selection = Selection(other, [state.id])
    assert await candidates.with_words(operator.postgres, selection, [["number"]], 100) == [[]]
