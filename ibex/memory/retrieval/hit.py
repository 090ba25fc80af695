"""A memory that was found, and why."""

from collections.abc import Mapping
from dataclasses import dataclass

from ibex.memory.retrieval.record import Record


@dataclass(frozen=True, slots=True)
class Arm:
    """What one key of one arm gave a memory; `rank` counts from 1, equal scores share the better rank."""

    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Components:
    """Everything that a hit's score was made of.

    Parameters
    ----------
    arms: by name: `lexical.text`, `lexical.neighbours`, `lexical.session` (BM25); `semantic.text`,
        `semantic.neighbours` (cosines; missing when there was no vector to compare with).
    matched_terms: the stems of the question that the memory's own text has, rarest first. These two are empty
        where the query asked for no explanation.
    lexical, semantic: the two arms in standard deviations; `semantic` is None without a vector of the
        question, and estimated for a memory without one.
    stated, speaker, time: see `Relevance`.
    relevance: the mean of the two arms (or `lexical` alone), with `stated`, `speaker` and `time` by their
        weights; in standard deviations.
    recency, usefulness, confidence, use: between 0 and 1.
    """

    arms: Mapping[str, Arm]
    matched_terms: tuple[str, ...]
    lexical: float
    semantic: float | None
    stated: float
    speaker: float
    time: float
    relevance: float
    recency: float
    usefulness: float
    confidence: float
    use: float


@dataclass(frozen=True, slots=True)
class Hit:
    """`score` orders hits of one search; scores of different searches do not compare."""

    record: Record
    score: float
    components: Components
