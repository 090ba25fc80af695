"""Whether an answer made use of a memory, told by the words that it could have from nowhere else."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

from ibex.context.learning.sentences import Sentence

# Chosen on the answers of `tests/context/learning/test_use.py`: of those that count nine in ten were used.
_USED = 0.4


def used(
    answer: Sequence[Sentence], question: Sequence[Sentence], told: Sequence[Sequence[Sentence]]
) -> list[bool]:
    """Of each text that was told, whether the answer made use of it.

    A text counts by that of its sentences which the answer has most of. Words of the question show nothing,
    and a word weighs the less the more of the texts have it.
    """
    asked = _stems(question)
    answered = _stems(answer) - asked
    if not answered:
        return [False for _ in told]
    texts = [[sentence.stems - asked for sentence in text] for text in told]
    weights = _weights(texts)
    return [any(_share(stems, answered, weights) >= _USED for stems in text) for text in texts]


def _stems(text: Sequence[Sentence]) -> frozenset[str]:
    return frozenset(chain.from_iterable(sentence.stems for sentence in text))


def _weights(texts: Sequence[Sequence[frozenset[str]]]) -> Mapping[str, float]:
    """As the inverse document frequency of each word among what was told."""
    spread = Counter(stem for text in texts for stem in frozenset(chain.from_iterable(text)))
    return {stem: math.log(1 + len(texts) / count) for stem, count in spread.items()}


def _share(stems: frozenset[str], answered: frozenset[str], weights: Mapping[str, float]) -> float:
    found = stems & answered
    if not found:
        return 0.0
    return sum(weights[stem] for stem in found) / sum(weights[stem] for stem in stems)
