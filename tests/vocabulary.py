"""The vocabulary, loaded once per test process: that takes half a second."""

from functools import cache

from ibex.context.tokens import Vocabulary


@cache
def vocabulary() -> Vocabulary:
    loaded = Vocabulary()
    loaded.load()
    return loaded
