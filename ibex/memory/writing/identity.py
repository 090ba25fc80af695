"""When two memories are the same one."""

import re
import unicodedata
from datetime import UTC, datetime
from hashlib import sha256

from ibex.memory.writing.validation import CheckedMemory

_SPACES = re.compile(r"\s+")


def normalized(text: str) -> str:
    """The text as far as it matters for sameness: NFKC, casefolded, runs of white space as one space."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _SPACES.sub(" ", folded).strip()


def content_hash(checked: CheckedMemory, session_id: str | None) -> bytes:
    """SHA-256 of the normalised text and of what narrows its scope within its partition.

    A statement is the same whoever repeats it and whenever; said of another stretch of time it is another
    one, so bounds that were given count. One that only its session sees is the session's own. A turn is
    something that happened: the same "Yes!" from the same speaker at another time, or in another session, is
    another memory. Without a time a repetition cannot be told from a request that was sent twice, and counts
    as the same, unless the id of its turn tells them apart.

    It is taken from the text as it is stored: that of a secret would help to guess the secret.
    """
    parts: list[str | None] = [normalized(checked.content)]
    if checked.is_turn:
        at = _instant(checked.observed_at) if checked.has_time else None
        turn = checked.provenance.turn_id
        parts += ["turn", session_id, checked.provenance.voice, at, str(turn) if turn else None]
    elif checked.visibility == "session":
        parts += ["session", session_id]
    parts += [_instant(checked.valid_from), _instant(checked.valid_until)]
    # With their lengths, so that no two lists of parts are the same text.
    return sha256("".join(_spelled(part) for part in parts).encode()).digest()


def _spelled(part: str | None) -> str:
    return "-" if part is None else f"{len(part)}:{part}"


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
