"""Says what the scores of hits were made of."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.hit import Arm, Components
from ibex.memory.retrieval.ranking import Ranking
from ibex.memory.retrieval.relevance import Relevance


def components(relevant: Relevance, ranked: Ranking, positions: Sequence[int]) -> list[Components]:
    """The components of the memories at these positions."""
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
        Components(
            arms={
                name: arms[number]
                for name, arms in places.items()
                if name.startswith("lexical") or position in compared
            },
            matched_terms=tuple(
                term for term, occurs in zip(words.terms, words.occurs[:, position], strict=True) if occurs
            ),
            lexical=float(relevant.by_words[position]),
            semantic=None if relevant.by_meaning is None else float(relevant.by_meaning[position]),
            stated=float(relevant.stated[position]),
            speaker=float(relevant.speaker[position]),
            time=float(relevant.time[position]),
            relevance=float(ranked.relevance[position]),
            recency=float(ranked.recency[position]),
            usefulness=float(ranked.usefulness[position]),
            confidence=float(ranked.confidence[position]),
            use=float(ranked.use[position]),
        )
        for number, position in enumerate(positions)
    ]


def _places(scores: NDArray[np.float32], positions: Sequence[int]) -> list[Arm]:
    ordered = np.sort(scores)
    own = scores[list(positions)]
    above = len(scores) - np.searchsorted(ordered, own, side="right")
    return [Arm(float(score), int(rank) + 1) for score, rank in zip(own, above, strict=True)]
