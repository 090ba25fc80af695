"""What an answer only says again: cut out, so that memories do not feed on themselves."""

from collections.abc import Collection, Sequence

from ibex.context.learning.sentences import Sentence

# Chosen on the sentences of `tests/context/learning/test_repetition.py`, where the share that a sentence has
# in common with what it repeats is 0.67 or more, and with what it only touches on 0.5 at most.
_SAME = 0.6
# A sentence that quotes a memory as a whole, and adds no more than so much of its own.
_FRAME = 0.5
# One word may be all that two sentences have in common by chance.
_LEAST_QUOTED = 2


def without_repetition(answer: Sequence[Sentence], told: Collection[Sentence]) -> str:
    """An answer less the sentences that say what was told already, in the same words or nearly so."""
    known = {each.stems for each in told if each.stems}
    everything = frozenset[str]().union(*known)
    kept = [
        sentence.text
        for sentence in answer
        if len(sentence.stems & everything) < _FRAME * len(sentence.stems)
        or not any(_repeats(sentence.stems, each) for each in known)
    ]
    return "".join(kept).strip()


def _repeats(said: frozenset[str], known: frozenset[str]) -> bool:
    if not said:
        return False
    common = len(said & known)
    if common >= _SAME * len(said):
        return True
    return common == len(known) >= _LEAST_QUOTED and len(said) - common <= _FRAME * len(said)
