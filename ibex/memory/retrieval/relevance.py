"""How relevant each memory is to a question: the arms, and what is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.columns import Columns
from ibex.memory.retrieval.dates import intervals
from ibex.memory.retrieval.index import Index
from ibex.memory.retrieval.lexical import Lexical, lexical
from ibex.memory.retrieval.query import Query
from ibex.memory.retrieval.semantic import Semantic, semantic
from ibex.memory.retrieval.speaker import asked_for

# Scores are measured in standard deviations over the best so many memories of an arm. Over all of a large
# scope the deviation would shrink with every memory that has nothing to do with the question, and what is
# weighed against it with it.
_FIELD = 1_000

# Of the highest score. In scopes with more than a handful of memories the deviation is larger.
_LEAST_DEVIATION = 0.05

# In standard deviations. Chosen on five LoCoMo conversations, in each of which or nearly each they help, and
# checked on three of LongMemEval, whose assistant answers at length; 2 to 3.5, 0.5 to 1 and 1 to 3 are within
# about a point of recall@10.
_STATED = 3.0
_SPEAKER = 0.75
_TIME = 2.0
# A memory that states so many terms has half of what there is to be had for stating something, and what goes
# beyond the other number earns nothing: an assistant's essay is no better evidence than a full sentence.
_STATED_HALF = 8.0
_STATED_MOST = 24.0
# People tell what happened within days: what was said a week after the time asked for counts half as much.
_AFTERWARDS = 7 * 86_400.0
_BEFOREHAND = 86_400.0
# Unrelated sentences have a cosine around 0 under the models of the sentence-transformers family.
_LEAST_COSINE = 0.2


@dataclass(frozen=True, slots=True)
class Relevance:
    """Arrays of shape (n,) over the positions of all parts, one after the other.

    Parameters
    ----------
    by_words, by_meaning: in standard deviations from the mean of the arm. `by_meaning` is None when there is
        nothing to compare, and is estimated from `by_words` for memories without a vector.
    stated: how much the memory says, between 0 and 1; questions and greetings say little.
    speaker: 1 where the question names who said it, be it as "I" or "you".
    time: 1 where it was said at a time the question names, falling with the distance from it.
    score: the mean of the arms, and the others by their weights; in standard deviations.
    above_floor: bool; whether anything at all connects the memory with the question.
    """

    lexical: Lexical
    semantic: Semantic | None
    by_words: NDArray[np.float64]
    by_meaning: NDArray[np.float64] | None
    stated: NDArray[np.float64]
    speaker: NDArray[np.float64]
    time: NDArray[np.float64]
    score: NDArray[np.float64]
    above_floor: NDArray[np.bool_]


def relevance(parts: Sequence[Index], columns: Columns, query: Query) -> Relevance:
    """`columns` are those of all parts, in order of position; there is at least one memory."""
    terms = parts[0].tokenizer.terms(query.text).counts
    words = lexical(parts, list(terms), query.beyond)
    meaning = semantic(parts, query.vector)
    others = query.beyond.count
    by_words = _standardised(words.score, np.ones(len(columns.observed), np.bool_), others)
    by_meaning = None if meaning is None else _by_meaning(meaning, by_words, others)
    stated = np.minimum(columns.stated, _STATED_MOST)
    stated = stated / (stated + _STATED_HALF)
    speaker = _named(parts, query.text)
    time = _at_time(columns.observed, query)
    fused = by_words if by_meaning is None else (by_words + by_meaning) / 2
    return Relevance(
        lexical=words,
        semantic=meaning,
        by_words=by_words,
        by_meaning=by_meaning,
        stated=stated,
        speaker=speaker,
        time=time,
        score=fused + _STATED * stated + _SPEAKER * speaker + _TIME * time,
        above_floor=_above_floor(words, meaning, time, asked=bool(terms) or query.vector is not None),
    )


def _standardised(scores: NDArray[Any], known: NDArray[np.bool_], beyond: int) -> NDArray[np.float64]:
    scores = scores.astype(np.float64)
    of_field = scores[known]
    if not len(of_field):
        return np.zeros_like(scores)
    if len(of_field) > _FIELD:
        of_field = np.partition(of_field, -_FIELD)[-_FIELD:]
    # What is no candidate is taken to be no better than the worst of them.
    others = min(_FIELD - len(of_field), beyond)
    of_field = np.append(of_field, np.full(others, of_field.min()))
    # Among few that score about the same, what little they differ by says nothing, and is not to be blown up.
    deviation = max(float(of_field.std()), _LEAST_DEVIATION * float(np.abs(of_field).max()))
    if not deviation:
        return np.zeros_like(scores)
    standardised: NDArray[np.float64] = (scores - of_field.mean()) / deviation
    return standardised


def _by_meaning(meaning: Semantic, by_words: NDArray[np.float64], beyond: int) -> NDArray[np.float64]:
    """Least squares through the origin says what to expect of a memory that has no vector yet."""
    standard = _standardised(meaning.score, meaning.known, beyond)
    words = by_words[meaning.known]
    squares = float(words @ words)
    slope = float(words @ standard[meaning.known]) / squares if squares else 0.0
    return np.where(meaning.known, standard, np.clip(slope, 0, 1) * by_words)


def _named(parts: Sequence[Index], question: str) -> NDArray[np.float64]:
    asked = asked_for(set(parts[0].tokenizer.words(question)))
    named = []
    for part in parts:
        numbers = [number for name, number in part.speakers.items() if not asked.isdisjoint(name)]
        named.append(np.isin(part.columns.speaker[part.sequence.slots], numbers))
    return np.concatenate(named).astype(np.float64)


def _at_time(observed: NDArray[np.float64], query: Query) -> NDArray[np.float64]:
    first, last = (datetime.fromtimestamp(float(each), UTC) for each in (observed.min(), observed.max()))
    nearness = np.zeros(len(observed))
    for interval in intervals(query.text, query.now, first, last):
        after = np.maximum(observed - interval.end, 0) / _AFTERWARDS
        before = np.maximum(interval.start - observed, 0) / _BEFOREHAND
        nearness = np.maximum(nearness, np.exp2(-(after + before)))
    return nearness


def _above_floor(
    words: Lexical, meaning: Semantic | None, time: NDArray[np.float64], asked: bool
) -> NDArray[np.bool_]:
    if not asked:
        return np.ones(len(time), np.bool_)
    above = (words.session > 0) | (words.neighbours > 0) | (time >= 0.5)
    if meaning is not None:
        above |= np.maximum(meaning.text, meaning.neighbours) >= _LEAST_COSINE
    return above
