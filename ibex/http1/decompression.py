"""A compressed body as it arrives. None is asked for; some providers send one all the same."""

import zlib

from ibex.http1.errors import BrokenAnswerError

# Either format, gzip (RFC 1952) or zlib (RFC 1950), told apart by its first bytes.
_EITHER = zlib.MAX_WBITS | 32
# What a quarter of a megabyte, which is what is read at once, may become. Text shrinks to a tenth; a bomb to
# a thousandth.
_LARGEST = 16 << 20


class Decompression:
    """Raises `BrokenAnswerError` for a body that is damaged, or that gets too large at once."""

    __slots__ = ("_decoder", "_has_begun")

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(_EITHER)
        self._has_begun = False

    @property
    def is_cut_short(self) -> bool:
        return self._has_begun and not self._decoder.eof

    def feed(self, data: bytes) -> bytes:
        self._has_begun = True
        try:
            plain = self._decoder.decompress(data, _LARGEST)
        except zlib.error as error:
            raise BrokenAnswerError("the body is not what its encoding says") from error
        if self._decoder.unconsumed_tail or self._decoder.unused_data:
            raise BrokenAnswerError("the body is larger than its encoding allows")
        return plain
