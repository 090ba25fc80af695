"""A desk at which tests write memories and look at what the tables then hold."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import dict_row

from ibex.memory.embedding import Embedder, EmbedderUnavailableError, EmbeddingModel
from ibex.memory.memory import NewMemory, Scope
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.writing.store import Store
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.writer import Answer, MemoryWriter
from ibex.memory.writing.written import Written
from ibex.storage import Postgres
from tests.operator import Operator


class BagOfWords:
    """An embedder whose vectors are counts of words, so that a cosine can be worked out by hand."""

    model = EmbeddingModel("bag-of-words", "1", 256)

    def __init__(self) -> None:
        self.is_down = False
        self.refused = 0
        self.embedded: list[str] = []

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.is_down:
            self.refused += 1
            raise EmbedderUnavailableError("it is down")
        self.embedded += texts
        vectors = np.zeros((len(texts), self.model.dimensions), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            vector[0] = 0.01
            for word in re.findall(r"\w+", text.lower()):
                vector[int(hashlib.md5(word.encode()).hexdigest(), 16) % self.model.dimensions] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    async def close(self) -> None:
        return


@dataclass
class Desk:
    """A writer for one agent of one organization, about one end user."""

    operator: Operator
    scope: Scope
    writer: MemoryWriter
    told: list[tuple[PartitionKey, Sequence[Written]]] = field(default_factory=list)

    @classmethod
    async def of(
        cls,
        operator: Operator,
        embedder: Embedder | None = None,
        postgres: Postgres | None = None,
        slug: str = "acme",
    ) -> "Desk":
        org_id = await operator.organization(slug)
        scope = Scope(org_id, (await operator.agent(org_id)).id, "ada")
        told: list[tuple[PartitionKey, Sequence[Written]]] = []

        async def tell(key: PartitionKey, written: Sequence[Written]) -> None:
            told.append((key, written))

        postgres = postgres or operator.postgres
        vectors = Vectors(postgres, embedder)
        writer = MemoryWriter(postgres, vectors, Store(postgres, vectors, Tokenizer()), tell)
        return cls(operator, scope, writer, told)

    async def write(self, content: str, scope: Scope | None = None, **fields: Any) -> Written:
        return await self.writer.write(
            self.operator.actor(self.scope.org_id), scope or self.scope, NewMemory(content, **fields)
        )

    async def write_many(self, *news: NewMemory, scope: Scope | None = None) -> list[Answer]:
        return await self.writer.write_many(self.operator.actor(self.scope.org_id), scope or self.scope, news)

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table of this organization."""
        return await self.operator.postgres.fetch_all(
            self.scope.org_id, f"SELECT * FROM ibex.{table}", row=dict_row
        )

    async def memories(self) -> dict[UUID, dict[str, Any]]:
        return {row["id"]: row for row in await self.rows("memories")}
