"""Another embedding model, beside the one that serves."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from ibex.memory.embedding import EmbedderUnavailableError, EmbeddingModel
from ibex.memory.lifecycle.backfill import EmbeddingBackfill
from ibex.memory.lifecycle.reembedding import Reembedding
from ibex.memory.memory import NewMemory
from ibex.memory.searching import MemorySearch, SearchQuery
from tests.faults.waiting import until
from tests.memory.writing.desk import BagOfWords, Desk
from tests.operator import Operator

_MEMORIES = 70


class OtherBag(BagOfWords):
    """The same counts under another name, which may break off."""

    model = EmbeddingModel("other-bag", "1", 256)

    def __init__(self, batches: int = 1_000) -> None:
        super().__init__()
        self._left = batches

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._left == 0:
            raise EmbedderUnavailableError("it has died")
        self._left -= 1
        return await super().embed(texts)


async def filled(operator: Operator) -> Desk:
    desk = await Desk.of(operator, BagOfWords())
    await desk.write_many(
        *(NewMemory(f"Ticket {number} is about item{number * 7}.") for number in range(_MEMORIES))
    )
    return desk


async def test_every_memory_gets_a_second_vector(operator: Operator) -> None:
    desk = await filled(operator)
    told: list[int] = []
    reembedding = Reembedding(operator.postgres, OtherBag())
    assert await reembedding.remaining(desk.scope.org_id) == _MEMORIES

    assert await reembedding.run(desk.scope.org_id, told.append) == _MEMORIES

    assert told[:3] == [32, 64, 70]
    assert await reembedding.remaining(desk.scope.org_id) == 0
    models = [row["model_id"] for row in await desk.rows("memory_embeddings")]
    assert {models.count(model) for model in set(models)} == {_MEMORIES}


async def test_after_it_broke_off_it_goes_on_where_it_was(operator: Operator) -> None:
    desk = await filled(operator)
    with pytest.raises(EmbedderUnavailableError):
        await Reembedding(operator.postgres, OtherBag(batches=1)).run(desk.scope.org_id)

    again = OtherBag()
    await Reembedding(operator.postgres, again).run(desk.scope.org_id)

    assert len(again.embedded) == _MEMORIES - 32


async def test_both_models_serve_meanwhile(operator: Operator) -> None:
    desk = await filled(operator)
    old = MemorySearch(operator.postgres, BagOfWords())
    new = MemorySearch(operator.postgres, OtherBag())
    question = SearchQuery("item21", explain=True)
    assert (await old.search(desk.scope, question)).results[0].source == "both"
    assert (await new.search(desk.scope, question)).results[0].source == "words"

    await Reembedding(operator.postgres, OtherBag()).run(desk.scope.org_id)

    assert (await old.search(desk.scope, question)).results[0].source == "both"
    assert (await new.search(desk.scope, question)).results[0].source == "both"


async def test_what_is_live_no_longer_is_embedded_for_searches_of_the_past(operator: Operator) -> None:
    desk = await Desk.of(operator, BagOfWords())
    old = await desk.write("I live in Paris.", observed_at=datetime(2026, 1, 1, tzinfo=UTC))
    await desk.write("I live in Rome.", observed_at=datetime(2026, 3, 1, tzinfo=UTC))
    await Reembedding(operator.postgres, OtherBag()).run(desk.scope.org_id)

    search = MemorySearch(operator.postgres, OtherBag())
    then = SearchQuery("paris", as_of=datetime(2026, 2, 1, tzinfo=UTC))

    (found,) = (await search.search(desk.scope, then)).results
    assert (found.memory.id, found.source) == (old.memory.id, "both")


async def test_what_is_written_and_corrected_meanwhile_is_embedded_too(operator: Operator) -> None:
    desk = await filled(operator)

    class Busy(OtherBag):
        """Another process, which has the old model, writes while vectors are made."""

        async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if len(self.embedded) < _MEMORIES:
                await desk.write(f"Meanwhile there were {len(self.embedded)}.")
            return await super().embed(texts)

    reembedding = Reembedding(operator.postgres, Busy())
    await reembedding.run(desk.scope.org_id)
    assert await reembedding.remaining(desk.scope.org_id) == 0
    assert len(await desk.memories()) > _MEMORIES


async def test_old_vectors_are_dropped_and_the_new_ones_stay(operator: Operator) -> None:
    desk = await filled(operator)
    reembedding = Reembedding(operator.postgres, OtherBag())
    await reembedding.run(desk.scope.org_id)

    assert await reembedding.drop_others(desk.scope.org_id) == _MEMORIES

    assert await reembedding.remaining(desk.scope.org_id) == 0
    assert len(await desk.rows("memory_embeddings")) == _MEMORIES
    new = MemorySearch(operator.postgres, OtherBag())
    assert (await new.search(desk.scope, SearchQuery("item21"))).results[0].source == "both"


async def test_a_process_with_another_model_embeds_what_those_before_it_have_written(
    operator: Operator,
) -> None:
    desks = [await filled(operator), await Desk.of(operator, BagOfWords(), slug="umbrella")]
    await desks[1].write("I like tea")
    reembedding = Reembedding(operator.postgres, OtherBag())
    backfill = EmbeddingBackfill(operator.postgres, reembedding, every=0.01)
    backfill.start()
    try:
        for desk in desks:

            async def is_done(org_id: UUID = desk.scope.org_id) -> bool:
                return await reembedding.remaining(org_id) == 0

            await until(is_done)
        # One that still has the old model writes once more.
        await desks[1].write("I like coffee")
        await until(is_done)
    finally:
        await backfill.stop()


async def test_an_embedder_that_is_down_does_not_end_it(operator: Operator) -> None:
    desk = await filled(operator)
    embedder = OtherBag()
    embedder.is_down = True
    reembedding = Reembedding(operator.postgres, embedder)
    backfill = EmbeddingBackfill(operator.postgres, reembedding, every=0.01)
    backfill.start()
    try:
        await until(lambda: embedder.refused > 1)
        embedder.is_down = False

        async def is_done() -> bool:
            return await reembedding.remaining(desk.scope.org_id) == 0

        await until(is_done)
    finally:
        await backfill.stop()
