"""How close in meaning a memory, and the memory with its neighbours, is to a question."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.index import Index


@dataclass(frozen=True, slots=True)
class Semantic:
    """Cosines; arrays of float32, shape (n,), over the positions of all parts, one after the other.

    Parameters
    ----------
    text, neighbours: of the memory's own vector, and of the sum of it and its neighbours' by their weights.
    known: bool; whether there is a vector to compare with. The cosines are 0 where there is none.
    """

    text: NDArray[np.float32]
    neighbours: NDArray[np.float32]
    known: NDArray[np.bool_]

    @property
    def score(self) -> NDArray[np.float32]:
        # More weight for the neighbours finds a little more on LoCoMo, and less where an assistant's long
        # answers stand around what is asked for.
        return self.text + self.neighbours


def semantic(parts: Sequence[Index], vector: NDArray[np.float32] | None) -> Semantic | None:
    """None when nothing can be compared: no vector of the question, or no memory with one of its length."""
    if vector is None:
        return None
    each = [_of_part(part, vector) for part in parts]
    known = np.concatenate([one.known for one in each])
    if not known.any():
        return None
    return Semantic(
        text=np.concatenate([one.text for one in each]),
        neighbours=np.concatenate([one.neighbours for one in each]),
        known=known,
    )


def _of_part(part: Index, vector: NDArray[np.float32]) -> Semantic:
    slots = part.sequence.slots
    if part.vectors.dimensions != len(vector):
        nothing = np.zeros(len(slots), np.float32)
        return Semantic(nothing, nothing, np.zeros(len(slots), np.bool_))
    text = part.vectors.products(vector)[slots]
    # The product with a sum of vectors is the sum of the products, so the neighbourhood needs no vector.
    norms = part.norms[slots]
    neighbours = part.sequence.with_neighbours(text) / np.where(norms > 0, norms, np.float32(1))
    known = part.columns.embedded[slots]
    return Semantic(text, np.where(known, neighbours, np.float32(0)), known)
