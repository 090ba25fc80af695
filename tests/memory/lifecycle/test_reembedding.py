"""Another embedding model, beside the one that serves."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from ibex.memory.embedding import EmbedderUnavailableError, EmbeddingModel
from ibex.memory.lifecycle.reembedding import Reembedding
from ibex.memory.memory import NewMemory
from ibex.memory.searching import MemorySearch, SearchQuery
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

    assert told == [32, 64, 70]
    assert await reembedding.remaining(desk.scope.org_id) == 0
    models = [row["model_id"] for row in await desk.rows("memory_embeddings")]
    assert {models.count(model) for model in set(models)} == {_MEMORIES}


async def test_after_it_broke_off_it_goes_on_where_it_was(operator: Operator) -> None:
    desk = await filled(operator)
    with pytest.raises(EmbedderUnavailableError):
        await Reembedding(operator.postgres, OtherBag(batches=1)).run(desk.scope.org_id, lambda done: None)

    again = OtherBag()
    await Reembedding(operator.postgres, again).run(desk.scope.org_id, lambda done: None)

    assert len(again.embedded) == _MEMORIES - 32


async def test_both_models_serve_meanwhile(operator: Operator) -> None:
    desk = await filled(operator)
    old = MemorySearch(operator.postgres, BagOfWords())
    new = MemorySearch(operator.postgres, OtherBag())
    question = SearchQuery("item21", explain=True)
    assert (await old.search(desk.scope, question)).results[0].source == "both"
    assert (await new.search(desk.scope, question)).results[0].source == "words"

    await Reembedding(operator.postgres, OtherBag()).run(desk.scope.org_id, lambda done: None)

    assert (await old.search(desk.scope, question)).results[0].source == "both"
    assert (await new.search(desk.scope, question)).results[0].source == "both"
