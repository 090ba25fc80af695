"""Counts tokens: exactly where the vocabulary is known, else by an estimate that corrects itself."""

import hashlib
import math
from collections.abc import Iterable

from ibex.context.models.catalogue import ModelCatalogue
from ibex.context.tokens.correction import Corrections
from ibex.context.tokens.families import RATIOS, at_most, estimated_o200k
from ibex.context.tokens.vocabulary import Vocabulary

# A digest takes 1 µs, a line of 30 tokens 25; a directive of 32 KB takes 2 ms each time without a cache.
_SHORTEST_KEPT = 32
_MOST_KEPT = 20_000
_DIGEST_BYTES = 16


class TokenCounter:
    """The tokens of texts, by model.

    What was counted before is looked up; texts themselves are not kept. Counting is safe from any thread, and
    lets other threads work: 1 MB of text takes some 100 ms.
    """

    def __init__(self, catalogue: ModelCatalogue, vocabulary: Vocabulary) -> None:
        self._catalogue = catalogue
        self._vocabulary = vocabulary
        self._corrections = Corrections()
        self._kept: dict[bytes, int] = {}

    def count(self, text: str, model: str) -> int:
        """The tokens of one text; an estimate is rounded up."""
        if not text:
            return 0
        family = self._catalogue.of(model).family
        base = self._o200k(text)
        if family == "o200k":
            return base
        return math.ceil(base * RATIOS[family] * self._corrections.factor(model))

    def count_all(self, texts: Iterable[str], model: str) -> int:
        return sum(self.count(text, model) for text in texts)

    def at_most(self, texts: Iterable[str]) -> int:
        """What the texts have at most in any model, at once: where that fits, nothing need be counted."""
        return sum(map(at_most, texts))

    def is_exact(self, model: str) -> bool:
        """Whether `count` is what the provider will count for a text."""
        return self._vocabulary.is_loaded and self._catalogue.of(model).family == "o200k"

    def observe(self, model: str, estimated: int, reported: int) -> None:
        """Learn what a provider has counted of a prompt that was estimated; of texts only, without images."""
        if self._catalogue.of(model).family != "o200k":
            self._corrections.observe(model, estimated, reported)

    def _o200k(self, text: str) -> int:
        if len(text) < _SHORTEST_KEPT:
            return self._counted(text)
        key = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=_DIGEST_BYTES).digest()
        if (kept := self._kept.get(key)) is not None:
            return kept
        count = self._counted(text)
        if self._vocabulary.is_loaded:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = count
        return count

    def _counted(self, text: str) -> int:
        count = self._vocabulary.count(text)
        return estimated_o200k(text) if count is None else count
