"""How far a command has come with many memories."""

import time

from ibex.cli.progress import say

# Seconds between two lines.
_EVERY = 2.0


class Tally:
    """Says now and then how many are done, and at the end.

    Parameters
    ----------
    total: how many there are; None when nobody knows.
    """

    def __init__(self, verb: str, noun: str, total: int | None = None) -> None:
        self._verb = verb
        self._noun = noun
        self._of = "" if total is None else f" of {total:,}"
        self._next = time.monotonic() + _EVERY

    def reached(self, done: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            say(f"{self._verb} {done:,}{self._of} {self._noun} …")

    def end(self, done: int) -> None:
        say(f"{self._verb} {done:,} {self._noun}.")
