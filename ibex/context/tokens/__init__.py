"""Tokens: counted with the vocabulary that comes with the package, or estimated."""

from ibex.context.tokens.counter import TokenCounter
from ibex.context.tokens.overhead import overhead
from ibex.context.tokens.vocabulary import Vocabulary, VocabularyError

__all__ = ["TokenCounter", "Vocabulary", "VocabularyError", "overhead"]
