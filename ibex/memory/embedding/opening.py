"""The embedder that the settings ask for."""

from ibex.memory.embedding.cache import CachingEmbedder
from ibex.memory.embedding.embedder import Embedder
from ibex.memory.embedding.local import LocalEmbedder
from ibex.memory.embedding.readiness import model_folder
from ibex.memory.embedding.remote import RemoteEmbedder, RemoteService
from ibex.settings import Settings


async def open_embedder(settings: Settings, user_agent: str) -> Embedder | None:
    """The embedder, with a cache in front of it; None when there is to be none.

    It is opened in the process that uses it, after any fork. Raises `EmbedderUnavailableError` when the local
    model or its packages are missing; a remote service is not asked yet.
    """
    wanted = settings.embedder
    if wanted.kind == "none":
        return None
    embedder: Embedder
    if wanted.kind == "remote" and wanted.url and wanted.model and wanted.dimensions:
        service = RemoteService(
            wanted.url, wanted.model, wanted.dimensions, wanted.api_key, timeout=wanted.timeout_seconds
        )
        embedder = RemoteEmbedder(service, user_agent)
    else:
        embedder = await LocalEmbedder.open(model_folder(settings), threads=wanted.threads)
    return CachingEmbedder(embedder)
