"""The approximate index of a model other than the one that IBEX comes with."""

import numpy as np
import psycopg
import pytest
from psycopg import sql

from ibex.memory.embedding import EmbeddingModel
from ibex.memory.indexing import index_vectors
from ibex.memory.repository import embeddings
from ibex.memory.repository.nearest import Nearest, by_index, parameters
from ibex.memory.repository.selection import Selection
from ibex.memory.repository.vector_index import VectorIndexError, make_index
from tests.fixtures import Database
from tests.memory.searching.storing import Stored, store
from tests.operator import Operator

_MODEL = EmbeddingModel("other", "8", 8)


def indexes(database: Database) -> dict[str, bool]:
    """The names of the approximate indexes, and whether each was finished."""
    with psycopg.connect(database.owner_dsn) as connection:
        return dict(
            connection.execute(
                """
                SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
                WHERE pg_get_indexdef(indexrelid) LIKE '% hnsw %'
                """
            ).fetchall()
        )


def test_it_is_made_once(database: Database) -> None:
    said: list[str] = []
    for _ in range(2):
        make_index(database.owner_dsn, _MODEL, said.append)
    assert said == ["Making the index for vectors of other."]
    assert indexes(database) == {"memory_embeddings_1": True, "memory_embeddings_2": True}


def test_one_that_was_not_finished_is_made_anew(database: Database) -> None:
    make_index(database.owner_dsn, _MODEL, lambda sentence: None)
    with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ibex.memory_embeddings_2'::regclass"
        )
    said: list[str] = []
    make_index(database.owner_dsn, _MODEL, said.append)
    assert said == ["Making the index for vectors of other anew; it was not finished."]
    assert indexes(database)["memory_embeddings_2"]


def test_whoever_may_not_make_it_is_told_what_to_do(database: Database) -> None:
    with pytest.raises(VectorIndexError, match="only the owner"):
        make_index(database.service_dsn, _MODEL, lambda sentence: None)
    said: list[str] = []
    index_vectors(_MODEL, database.service_dsn, said.append)
    assert "IBEX_POSTGRES_MIGRATION_DSN" in said[-1]
    index_vectors(None, database.service_dsn, said.append)


async def test_a_search_can_use_it(database: Database, operator: Operator) -> None:
    org_id = await operator.organization()
    agent = await operator.agent(org_id)
    model = await embeddings.model_id(operator.postgres, _MODEL)
    make_index(database.owner_dsn, _MODEL, lambda sentence: None)
    vectors = np.eye(8, dtype=np.float32)
    memories = [Stored(f"number {n}", agent.id, vector=vectors[n]) for n in range(8)]
    await store(operator.postgres, org_id, *memories, model=model)

    selection, to = Selection(org_id, [1]), Nearest(model, vectors[3])
    async with operator.postgres.transaction(org_id) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        asked = await connection.execute(by_index(selection, to), parameters(selection, to, 1))
        assert [row[0] for row in await asked.fetchall()] == [memories[3].id]
        plan = await connection.execute(
            sql.SQL("EXPLAIN ") + by_index(selection, to), parameters(selection, to, 1)
        )
        assert f"memory_embeddings_{model}" in str(await plan.fetchall())
