"""Texts that wait for a model, and whose turn it is."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(eq=False, slots=True)
class Request:
    """Texts of one caller, and the vectors they have got so far, shape (texts, dimensions).

    Parameters
    ----------
    waiting: places of texts that nobody works at, the longest first.
    missing: how many texts have no vector yet.
    finished: told, on the thread of the model, of the end; with an error when there is one.
    """

    texts: Sequence[str] = field(repr=False)
    vectors: NDArray[np.float32] = field(repr=False)
    finished: Callable[[BaseException | None], None] = field(repr=False)
    waiting: list[int] = field(init=False)
    missing: int = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = sorted(range(len(self.texts)), key=lambda place: len(self.texts[place]), reverse=True)
        self.missing = len(self.texts)


Turn = tuple[Request, int]


class Rotation:
    """A question does not wait for a hundred texts before it, nor these for a hundred questions.

    Every other batch begins with requests of one text, in the order in which they came; the others begin with
    requests of several, which take turns, a text each. What room is left in a batch is for the other kind.
    Within a request texts follow each other by length, so that those that share a batch need little padding.
    Not safe for several threads: its owner holds a lock.

    Parameters
    ----------
    capacity: most texts that may wait.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._of_one: deque[Request] = deque()
        self._of_several: deque[Request] = deque()
        self._begins_with_one = False

    def has_room_for(self, texts: int) -> bool:
        return self.size + texts <= self.capacity

    def add(self, request: Request) -> None:
        self.size += len(request.waiting)
        (self._of_one if len(request.texts) == 1 else self._of_several).append(request)

    def remove(self, request: Request) -> None:
        """Take back what nobody works at yet."""
        self.size -= len(request.waiting)
        request.waiting.clear()
        for queue in (self._of_one, self._of_several):
            if request in queue:
                queue.remove(request)

    def clear(self) -> list[Request]:
        """Take back everything."""
        requests = [*self._of_one, *self._of_several]
        for request in requests:
            self.remove(request)
        return requests

    def take(self, budget: int) -> list[Turn]:
        """The next batch, each text as its request and its place there: one at least.

        Every text of a batch costs as much as its longest, in bytes of UTF-8; together at most `budget`.
        """
        self._begins_with_one = not self._begins_with_one
        queues = (
            (self._of_one, self._of_several) if self._begins_with_one else (self._of_several, self._of_one)
        )
        turns: list[Turn] = []
        longest = 0
        for queue in queues:
            while queue:
                request = queue[0]
                place = request.waiting[-1]
                padded = max(longest, _cost(request.texts[place]))
                if turns and (len(turns) + 1) * padded > budget:
                    break
                longest = padded
                queue.popleft()
                request.waiting.pop()
                turns.append((request, place))
                if request.waiting:
                    self._of_several.append(request)
        self.size -= len(turns)
        return turns


def _cost(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
