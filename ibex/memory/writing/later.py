"""Vectors of memories that are stored already."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from ibex.memory.embedding import Embedder, text_to_embed
from ibex.memory.repository.embeddings import NewEmbedding, Unembedded


async def embedded(embedder: Embedder, waiting: Sequence[Unembedded]) -> Mapping[UUID, NewEmbedding]:
    """By the id of the memory. Raises `EmbedderUnavailableError`."""
    vectors = await embedder.embed([text_to_embed(each.content, each.speaker) for each in waiting])
    return {
        each.id: NewEmbedding(each.id, each.version, vector)
        for each, vector in zip(waiting, vectors, strict=True)
    }
