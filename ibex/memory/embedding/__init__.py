"""From texts to vectors: a model that runs here, or a service that speaks OpenAI's `/v1/embeddings`."""

from ibex.memory.embedding.embedder import Embedder, EmbedderUnavailableError, EmbeddingModel

__all__ = ["Embedder", "EmbedderUnavailableError", "EmbeddingModel"]
