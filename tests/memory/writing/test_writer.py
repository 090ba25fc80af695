"""Texts that become memories."""

import pytest

from ibex.errors import ErrorCode, IbexError
from ibex.memory.memory import NewMemory, Scope
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.writing.store import Store
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.writer import MemoryWriter
from tests.operator import Operator


async def _nobody(key, written) -> None:
    return


async def test_x(operator: Operator) -> None:
    org_id = await operator.organization()
    agent = await operator.agent(org_id)
    vectors = Vectors(operator.postgres, None)
    writer = MemoryWriter(operator.postgres, vectors, Store(operator.postgres, vectors, Tokenizer()), _nobody)
    scope = Scope(org_id, agent.id, "ada")
    w = await writer.write(operator.actor(org_id), scope, NewMemory("I live in Paris, mail ada@example.org"))
    print(w)
    with pytest.raises(IbexError) as e:
        await writer.write(operator.actor(org_id), scope, NewMemory("i live in Paris,  mail ada@example.org"))
    assert e.value.code is ErrorCode.DUPLICATE_CONTENT
    print(await writer.write_many(operator.actor(org_id), scope, [NewMemory(f"number {i}") for i in range(3)] + [NewMemory(""), NewMemory("number 2")]))
