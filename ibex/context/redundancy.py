"""How much of what a text says was said by better ones."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

# Words, numbers, and single characters of scripts that are written without spaces.
_TERM = re.compile(r"\d+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_]+(?:['\u2019]t\b)?")
_ASCII_TERM = re.compile(r"\d+|[a-z]+(?:'t\b)?")
_SHORT = 2
# More than most memories have; packing a hundred of so many takes 2 ms.
_MOST_TERMS = 64
# Bits that are compared at once.
_WORD = 64
# Where it is not found, only whole words are decisive.
_DECIDING = re.compile(r"\d|['\u2019]t")
_NEGATIONS = frozenset({"no", "not", "nor", "never", "none", "nothing", "nobody", "without", "cannot"})


@dataclass(frozen=True, slots=True)
class Redundancy:
    """Of one text among those that are ranked before it.

    Parameters
    ----------
    group: the rank of the text that it says the same as; its own when there is none.
    overlap: how near it comes to saying the same as one of another group, between 0 and 1.
    """

    group: int
    overlap: float


def terms(text: str) -> frozenset[str]:
    """What a text is about, for `redundancy`: its words but the shortest, its numbers, its negations.

    Of the words of a long text only those with the least hashes are kept: texts that share most of them share
    most of these (Broder, SEQUENCES 1997).
    """
    text = text.lower()
    found = frozenset((_ASCII_TERM if text.isascii() else _TERM).findall(text))
    decisive = _decisive(found) if _DECIDING.search(text) else found & _NEGATIONS
    others = [term for term in found - decisive if len(term) > _SHORT or not term.isascii()]
    if len(others) > _MOST_TERMS:
        hashes = map(crc32, map(str.encode, others))
        others = [term for _, term in sorted(zip(hashes, others, strict=True))[:_MOST_TERMS]]
    return decisive.union(others)


def redundancy(texts: Sequence[frozenset[str]], *, similar: float, duplicate: float) -> list[Redundancy]:
    """Of texts in the order of their ranks, by the terms that they share (Jaccard).

    Two that differ in a number or a negation never say the same.

    Parameters
    ----------
    similar, duplicate: the shares at which overlap begins, and at which it is complete.
    """
    shares = np.tril(_shares(texts), -1)
    groups = np.arange(len(texts))
    for rank, other in np.argwhere(shares >= duplicate):
        # Of those before it the first, when that says nothing that was said before itself.
        is_free = groups[rank] == rank and groups[other] == other
        if is_free and _decisive(texts[rank]) == _decisive(texts[other]):
            groups[rank] = other
    apart = np.where(groups[:, None] == groups[None, :], 0.0, shares)
    nearest = apart.max(axis=1, initial=0.0)
    overlap = np.clip((nearest - similar) / max(duplicate - similar, 1e-9), 0.0, 1.0)
    return [Redundancy(*each) for each in zip(groups.tolist(), overlap.tolist(), strict=True)]


def _shares(texts: Sequence[frozenset[str]]) -> NDArray[np.float64]:
    """Of each two texts the terms in common by the terms of both; texts without terms share none.

    Terms are bits here: a product of matrices would be left to threads of BLAS, and wait for all of them
    (48 ms at the 99th percentile on two busy cores, for what takes 0.3).
    """
    numbers = {term: number for number, term in enumerate(frozenset[str]().union(*texts))}
    columns = [numbers[term] for text in texts for term in text]
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    occurs = np.zeros((len(texts), -(-len(numbers) // _WORD) * _WORD), np.bool_)
    occurs[rows, columns] = True
    bits = np.packbits(occurs, axis=1).view(np.uint64)
    common: NDArray[np.float64] = np.bitwise_count(bits[:, None] & bits[None]).sum(axis=2, dtype=np.float64)
    sizes = np.array([len(text) for text in texts], np.float64)
    return common / np.maximum(sizes[:, None] + sizes[None, :] - common, 1)


def _decisive(terms: frozenset[str]) -> frozenset[str]:
    return frozenset(filter(_is_decisive, terms))


def _is_decisive(term: str) -> bool:
    return term in _NEGATIONS or term[0].isdigit() or term.endswith(("'t", "\u2019t"))
