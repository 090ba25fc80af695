"""Says what the scores of hits were made of."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.hit import Arm, Components
from ibex.memory.retrieval.lexical import Lexical
from ibex.memory.retrieval.ranking import Ranking
from ibex.memory.retrieval.relevance import Relevance


def components(
    relevant: Relevance, ranked: Ranking, positions: Sequence[int], *, in_full: bool = True
) -> list[Components]:
    """The components of the memories at these positions; `in_full` with arms and terms."""
    arms = _arms(relevant, positions) if in_full else [{}] * len(positions)
    terms = _terms(relevant.lexical, positions) if in_full else [()] * len(positions)
    at = list(positions)
    meaning = [None] * len(at) if relevant.by_meaning is None else relevant.by_meaning[at].tolist()
    numbers = (
        relevant.stated,
        relevant.speaker,
        relevant.time,
        ranked.relevance,
        ranked.recency,
        ranked.usefulness,
        ranked.confidence,
        ranked.use,
    )
    columns = (relevant.by_words[at].tolist(), meaning, *(each[at].tolist() for each in numbers))
    return [Components(*each) for each in zip(arms, terms, *columns, strict=True)]


def _arms(relevant: Relevance, positions: Sequence[int]) -> list[Mapping[str, Arm]]:
    words, meaning = relevant.lexical, relevant.semantic
    places = {
        "lexical.text": _places(words.text, positions),
        "lexical.neighbours": _places(words.neighbours, positions),
        "lexical.session": _places(words.session, positions),
    }
    compared = set(positions)
    if meaning is not None:
        places["semantic.text"] = _places(meaning.text, positions)
        places["semantic.neighbours"] = _places(meaning.neighbours, positions)
        compared = {position for position in positions if meaning.known[position]}
    return [
        {
            name: arms[number]
            for name, arms in places.items()
            if name.startswith("lexical") or position in compared
        }
        for number, position in enumerate(positions)
    ]


def _terms(words: Lexical, positions: Sequence[int]) -> list[tuple[str, ...]]:
    return [
        tuple(term for term, occurs in zip(words.terms, words.occurs[:, position], strict=True) if occurs)
        for position in positions
    ]


def _places(scores: NDArray[np.float32], positions: Sequence[int]) -> list[Arm]:
    ordered = np.sort(scores)
    own = scores[list(positions)]
    above = len(scores) - np.searchsorted(ordered, own, side="right")
    return [Arm(float(score), int(rank) + 1) for score, rank in zip(own, above, strict=True)]
