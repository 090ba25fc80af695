"""Where the next page of traces begins, in a form that only the same organization's list takes back."""

import base64
import binascii
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ibex.auth.names import invalid
from ibex.traces.store import Position

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME, _ID = 8, 16
# Bytes. A slip of the pen is to be found out; whoever makes one up sees nothing that is not theirs anyway.
_CHECK = 5
_REFUSED = (
    "That is no cursor of this list. Send `pagination.next_cursor` of the page before as it is, or leave it "
    "out to begin with the newest."
)


def cursor_of(org_id: UUID, position: Position) -> str:
    """Of the page behind a trace."""
    microseconds = (position.at - _EPOCH) // timedelta(microseconds=1)
    content = microseconds.to_bytes(_TIME, "big", signed=True) + position.id.bytes
    return base64.urlsafe_b64encode(content + _check(org_id, content)).decode().rstrip("=")


def position_of(org_id: UUID, cursor: str | None) -> Position | None:
    """Raises VALIDATION_ERROR for what is no cursor of this list."""
    if cursor is None:
        return None
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise invalid("cursor", _REFUSED) from None
    said, check = content[: _TIME + _ID], content[_TIME + _ID :]
    if len(said) != _TIME + _ID or check != _check(org_id, said):
        raise invalid("cursor", _REFUSED)
    microseconds = int.from_bytes(said[:_TIME], "big", signed=True)
    try:
        position = Position(_EPOCH + timedelta(microseconds=microseconds), UUID(bytes=said[_TIME:]))
    except OverflowError:
        raise invalid("cursor", _REFUSED) from None
    if cursor_of(org_id, position) != cursor:
        raise invalid("cursor", _REFUSED)
    return position


def _check(org_id: UUID, content: bytes) -> bytes:
    return hashlib.blake2b(b"traces" + org_id.bytes + content, digest_size=_CHECK).digest()
