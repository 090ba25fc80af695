"""A desk at which tests write and change memories and look at what the tables then hold."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import dict_row

from ibex.auth.actor import Actor
from ibex.memory.embedding import Embedder, EmbedderUnavailableError, EmbeddingModel
from ibex.memory.lifecycle.changing import Changing
from ibex.memory.lifecycle.correcting import MemoryCorrection
from ibex.memory.lifecycle.patch import Patch
from ibex.memory.lifecycle.rewriting import Rewriting
from ibex.memory.lifecycle.states import MemoryStates
from ibex.memory.memory import Memory, NewMemory, Scope
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
    states: MemoryStates
    correction: MemoryCorrection
    changes: list[PartitionKey] = field(default_factory=list)
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
        changes: list[PartitionKey] = []

        async def tell(key: PartitionKey, written: Sequence[Written]) -> None:
            told.append((key, written))

        async def changed(key: PartitionKey) -> None:
            changes.append(key)

        postgres = postgres or operator.postgres
        vectors = Vectors(postgres, embedder)
        writer = MemoryWriter(postgres, vectors, Store(postgres, vectors, Tokenizer()), tell)
        changing = Changing(postgres, vectors, Tokenizer(), changed)
        rewriting = Rewriting(postgres, vectors)
        states = MemoryStates(postgres, changing, rewriting)
        correction = MemoryCorrection(postgres, changing, rewriting)
        return cls(operator, scope, writer, states, correction, changes, told)

    @property
    def actor(self) -> Actor:
        return self.operator.actor(self.scope.org_id)

    async def changed(self, key: PartitionKey) -> None:
        self.changes.append(key)

    async def patch(self, written: Written, **fields: Any) -> Memory:
        return (await self.correction.patch(self.actor, written.memory.id, Patch(**fields))).memory

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
