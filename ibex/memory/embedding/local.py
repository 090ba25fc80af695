"""An embedder that runs a model in this process, beside the event loop."""

import asyncio
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from threading import Condition, Thread
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding.embedder import EmbedderUnavailableError, EmbeddingModel
from ibex.memory.embedding.passages import passages
from ibex.memory.embedding.rotation import Request, Rotation, Turn
from ibex.memory.embedding.unit import as_unit_vectors

# About 64 word pieces, 16 ms on one core. Four short questions in a batch take little more than half the time
# that they take one by one, two turns of a conversation four fifths; with larger batches nothing is gained,
# and whoever comes next waits longer.
_BATCH_BYTES = 256
# As many as one core does in some ten seconds.
_WAITING = 1_024
_PATIENCE = 5.0


class TextModel(Protocol):
    """A model that can be asked from several threads."""

    @property
    def model(self) -> EmbeddingModel: ...

    def split(self, text: str) -> Sequence[int]:
        """The numbers of its word pieces, cut off where the model stops reading."""
        ...

    def vectors(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Of texts that have been split, shape (texts, dimensions)."""
        ...


class LocalEmbedder:
    """Vectors from a model on threads of its own, which run until it is closed.

    Requests take turns text by text, and texts of about the same length share a batch: a question waits for
    the batch that is being worked at, and not for the hundred texts that were there before it.

    Parameters
    ----------
    threads: batches that are worked at side by side, a core each.
    capacity: most texts, or parts of long ones, that may wait; a request beyond it is refused at once.
    """

    def __init__(self, text_model: TextModel, *, threads: int = 1, capacity: int = _WAITING) -> None:
        self._text_model = text_model
        self._rotation = Rotation(capacity)
        self._change = Condition()
        self._is_closed = False
        self._threads = [
            Thread(target=self._work, name=f"embedder-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @classmethod
    async def open(cls, folder: Path, *, threads: int = 1) -> Self:
        """With all-MiniLM-L6-v2 from a folder, which takes a third of a second.

        Raises `EmbedderUnavailableError`.
        """
        return cls(await asyncio.to_thread(_minilm, folder), threads=threads)

    @property
    def model(self) -> EmbeddingModel:
        return self._text_model.model

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As `Embedder.embed`. A caller that is cancelled takes back what nobody works at yet.

        A long text is read in parts, and has the direction of the mean of their vectors.
        """
        if not texts:
            return np.empty((0, self.model.dimensions), np.float32)
        parts = [passages(text) for text in texts]
        starts = np.cumsum([0, *map(len, parts[:-1])])
        vectors = await self._vectors(list(chain.from_iterable(parts)))
        return as_unit_vectors(np.add.reduceat(vectors, starts, axis=0))

    async def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def finished(error: BaseException | None) -> None:
            loop.call_soon_threadsafe(_settle, done, error)

        vectors = np.empty((len(texts), self.model.dimensions), np.float32)
        request = Request(texts, vectors, finished)
        self._add(request)
        try:
            await done
        finally:
            with self._change:
                self._rotation.remove(request)
        return vectors

    async def close(self) -> None:
        """Refuse what waits, let the batches under way end, and stop the threads."""
        with self._change:
            self._is_closed = True
            waiting = self._rotation.clear()
            self._change.notify_all()
        for request in waiting:
            request.finished(EmbedderUnavailableError("The local embedder is closed."))
        for thread in self._threads:
            await asyncio.to_thread(thread.join, _PATIENCE)

    def _add(self, request: Request) -> None:
        with self._change:
            if self._is_closed:
                raise EmbedderUnavailableError("The local embedder is closed.")
            if not self._rotation.has_room_for(len(request.texts)):
                raise EmbedderUnavailableError(
                    f"The local embedder is busy: {self._rotation.size} texts wait, "
                    f"and at most {self._rotation.capacity} may."
                )
            self._rotation.add(request)
            self._change.notify(len(request.texts))

    def _work(self) -> None:
        while (turns := self._next()) is not None:
            try:
                vectors = self._text_model.vectors(
                    [self._text_model.split(request.texts[place]) for request, place in turns]
                )
            except Exception as error:  # noqa: BLE001 - the edge of a thread: whoever waits is told
                self._give_up(turns, error)
            else:
                self._hand_out(turns, vectors)

    def _next(self) -> list[Turn] | None:
        """The next batch as soon as there is one; None once it is closed."""
        with self._change:
            self._change.wait_for(lambda: self._is_closed or self._rotation.size)
            return None if self._is_closed else self._rotation.take(_BATCH_BYTES)

    def _hand_out(self, turns: Sequence[Turn], vectors: NDArray[np.float32]) -> None:
        finished = []
        with self._change:
            for (request, place), vector in zip(turns, vectors, strict=True):
                request.vectors[place] = vector
                request.missing -= 1
                if not request.missing:
                    finished.append(request)
        for request in finished:
            request.finished(None)

    def _give_up(self, turns: Sequence[Turn], error: Exception) -> None:
        """The message of an error may quote what it was about, so only its kind is told."""
        for request in {id(request): request for request, _ in turns}.values():
            with self._change:
                self._rotation.remove(request)
            request.finished(EmbedderUnavailableError(f"The local embedder failed ({type(error).__name__})."))


def _settle(done: "asyncio.Future[None]", error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def _minilm(folder: Path) -> TextModel:
    try:
        from ibex.memory.embedding.minilm import MiniLM

        return MiniLM(folder)
    except ImportError:
        raise EmbedderUnavailableError("The packages of ibex[embeddings] are missing.") from None
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EmbedderUnavailableError(
            f"The model in {folder} cannot be used ({type(error).__name__})."
        ) from error
