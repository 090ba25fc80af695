"""Who said a memory."""

import re

from ibex.memory.retrieval.record import Record

# "Name: text", a name being up to three words that begin with a letter.
_PREFIX = re.compile(r"\s*([^\W\d_][\w.'\u2019-]{0,31}(?: [^\W\d_][\w.'\u2019-]{0,31}){0,2}): ")


def speaker_of(record: Record) -> str | None:
    """The speaker that is known apart from the text, else the one the text starts with."""
    if record.speaker is not None:
        return record.speaker
    match = _PREFIX.match(record.text)
    return match[1] if match else None
