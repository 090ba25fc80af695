"""What a search has found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ibex.memory.memory import Memory
from ibex.memory.retrieval.hit import Components, Hit

Source = Literal["words", "meaning", "both", "context"]

# As the floor of relevance: unrelated sentences have a cosine around 0.
_CLOSE = 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """One result.

    Parameters
    ----------
    rank: from 1.
    score: orders the results of one search; those of different searches do not compare.
    source: what connects it with the question: words that it shares, its meaning, both, or neither by itself
        but what was said around it or when.
    explain: what the score is made of, when that was asked for.
    """

    memory: Memory
    rank: int
    score: float
    source: Source
    explain: Components | None


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Results, best first.

    `degraded` is a sentence on what the search had to do without.
    """

    results: Sequence[Found]
    degraded: str | None


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search has found, best first, as far as it is known where it is searched.

    Parameters
    ----------
    degraded: a sentence on what the search had to do without.
    has_memories: whether there are any where it has searched, be they about something else.
    """

    hits: Sequence[Hit]
    degraded: str | None
    has_memories: bool


def source(hit: Hit) -> Source:
    """What connects a hit with the question."""
    meaning = hit.components.arms.get("semantic.text")
    is_close = meaning is not None and meaning.score >= _CLOSE
    if hit.components.matched_terms:
        return "both" if is_close else "words"
    return "meaning" if is_close else "context"
