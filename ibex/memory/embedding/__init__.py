"""From texts to vectors: a model that runs here, or a service that speaks OpenAI's `/v1/embeddings`."""

from ibex.memory.embedding.embedder import Embedder, EmbedderUnavailableError, EmbeddingModel
from ibex.memory.embedding.opening import open_embedder
from ibex.memory.embedding.readiness import Readiness, prepare_model, readiness
from ibex.memory.embedding.text import text_to_embed

__all__ = [
    "Embedder",
    "EmbedderUnavailableError",
    "EmbeddingModel",
    "Readiness",
    "open_embedder",
    "prepare_model",
    "readiness",
    "text_to_embed",
]
