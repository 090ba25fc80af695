"""How well the words of a memory, of its neighbours and of its session match those of a question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.index import Index, Occurrences
from ibex.memory.retrieval.query import Beyond

# Okapi BM25 (Robertson and Zaragoza 2009). k1 from 0.8 to 2 and b from 0.25 to 0.9 find as much on LoCoMo,
# within a point.
_K1 = 0.9
_B = 0.75
# A whole message can be the question. Its rarest terms say what it is about; the others cost time.
_MOST_TERMS = 32


@dataclass(frozen=True, slots=True)
class Lexical:
    """BM25 over three keys; arrays of float32, shape (n,), by position, one part after the other.

    Parameters
    ----------
    terms: the question's terms that occur in any memory, rarest first.
    text, neighbours, session: the score of the memory's own text, of the text with its neighbours' by their
        weights, and of all that was said in its session.
    occurs: bool, shape (terms, n): whether the memory's own text has the term.
    """

    terms: list[str]
    text: NDArray[np.float32]
    neighbours: NDArray[np.float32]
    session: NDArray[np.float32]
    occurs: NDArray[np.bool_]

    @property
    def score(self) -> NDArray[np.float32]:
        # A turn with its neighbours is the smallest thing that makes sense by itself, so it counts double.
        return self.text + 2 * self.neighbours + self.session


def lexical(parts: Sequence[Index], terms: Sequence[str], beyond: Beyond) -> Lexical:
    """Scores every memory. Mean lengths are those of all parts, document frequencies of all there is."""
    occurrences = [part.occurrences(terms) for part in parts]
    frequency = _frequency(terms, occurrences, sum(len(part) for part in parts), beyond)
    known = sorted((term for term in frequency if frequency[term]), key=lambda term: (frequency[term], term))
    known = known[:_MOST_TERMS]
    count = sum(len(part) for part in parts) + beyond.count
    found = np.array([frequency[term] for term in known], np.float32)
    idf = np.log1p((count - found + 0.5) / (found + 0.5)).astype(np.float32)

    counts = [_counts(len(part), each, known) for part, each in zip(parts, occurrences, strict=True)]
    lengths = [part.columns.length[part.sequence.slots].astype(np.float32) for part in parts]
    near = [part.sequence.with_neighbours(each) for part, each in zip(parts, counts, strict=True)]
    near_lengths = [part.sequence.with_neighbours(each) for part, each in zip(parts, lengths, strict=True)]
    whole = [part.sequence.by_session(each) for part, each in zip(parts, counts, strict=True)]
    whole_lengths = [part.sequence.by_session(each) for part, each in zip(parts, lengths, strict=True)]
    # The mean is over memories, so a session's length counts once for each of its turns.
    sessions = [part.sequence.session for part in parts]
    spread_lengths = [each[session] for each, session in zip(whole_lengths, sessions, strict=True)]
    of_sessions = _bm25(whole, whole_lengths, idf, _mean(spread_lengths))
    ends = np.cumsum([0, *(each.shape[1] for each in whole)])
    return Lexical(
        terms=known,
        text=_bm25(counts, lengths, idf, _mean(lengths)),
        neighbours=_bm25(near, near_lengths, idf, _mean(near_lengths)),
        session=of_sessions[
            np.concatenate([each + end for each, end in zip(sessions, ends[:-1], strict=True)])
        ],
        occurs=np.hstack(counts) > 0,
    )


def _frequency(
    terms: Sequence[str], occurrences: Sequence[Mapping[str, Occurrences]], memories: int, beyond: Beyond
) -> dict[str, float]:
    """How many have each term; none for a term that is in no part."""
    frequency = {}
    for term in terms:
        here = sum(len(each[term].positions) for each in occurrences if term in each)
        alike = here / memories * beyond.count if here else 0.0
        frequency[term] = here + beyond.frequency.get(term, alike) if here else 0.0
    return frequency


def _counts(
    memories: int, occurrences: Mapping[str, Occurrences], terms: Sequence[str]
) -> NDArray[np.float32]:
    counts = np.zeros((len(terms), memories), np.float32)
    for row, term in zip(counts, terms, strict=True):
        if term in occurrences:
            row[occurrences[term].positions] = occurrences[term].counts
    return counts


def _mean(lengths: Sequence[NDArray[np.float32]]) -> float:
    return float(np.concatenate(lengths).mean(dtype=np.float64)) or 1.0


def _bm25(
    counts: Sequence[NDArray[np.float32]],
    lengths: Sequence[NDArray[np.float32]],
    idf: NDArray[np.float32],
    mean_length: float,
) -> NDArray[np.float32]:
    scores = []
    for count, length in zip(counts, lengths, strict=True):
        slowness = _K1 * (1 - _B + _B * length / mean_length)
        scores.append((idf * (_K1 + 1)) @ (count / (count + slowness)))
    return np.concatenate(scores).astype(np.float32, copy=False)
