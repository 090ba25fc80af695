"""What a command says while it works."""

import sys
from contextlib import suppress


def say(sentence: str) -> None:
    """Progress, for the person in front of the terminal; when that is gone, for nobody."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
