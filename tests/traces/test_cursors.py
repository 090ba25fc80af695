"""Cursors of the list of traces, as somebody might make one up."""

import base64
import hashlib
from uuid import UUID

import pytest

from ibex.errors import IbexError
from ibex.traces.reading.cursors import position_of

_ORG = UUID(int=1)


@pytest.mark.parametrize("microseconds", [2**63 - 1, -(2**63), 2**62])
def test_a_time_that_no_calendar_has_is_refused(microseconds: int) -> None:
    said = microseconds.to_bytes(8, "big", signed=True) + bytes(16)
    check = hashlib.blake2b(b"traces" + _ORG.bytes + said, digest_size=5).digest()
    cursor = base64.urlsafe_b64encode(said + check).decode().rstrip("=")

    with pytest.raises(IbexError):
        position_of(_ORG, cursor)
