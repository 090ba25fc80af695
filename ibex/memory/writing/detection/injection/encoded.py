"""Text that is encoded in the text: base64, hexadecimal, percent signs, tag characters."""

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

from ibex.memory.writing.detection.injection.hidden import tags_as_ascii

# Eighteen letters are the least in which an instruction fits.
_RUN = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{24,}+={0,2}")
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})++)")
_PERCENT = re.compile(r"(?:[A-Za-z0-9+._-]{0,20}%[0-9A-Fa-f]{2}){4,}+[A-Za-z0-9+._-]{0,20}")
_TAGS = re.compile(r"[\U000e0020-\U000e007e]{8,}+")
_URL_SAFE = str.maketrans("-_", "+/")
_SPACE = re.compile(r"\s")


def find_encoded(text: str) -> Iterator[tuple[str, int, int]]:
    """Texts that are encoded in the text, with the spans that encode them. A picture or a hash is no text."""
    for match in _RUN.finditer(text):
        digits = _HEX.fullmatch(match[0])
        data = bytes.fromhex(digits[1]) if digits else _from_base64(match[0])
        decoded = _as_text(data)
        if decoded is not None:
            yield decoded, *match.span()
    if "%" in text:
        for match in _PERCENT.finditer(text):
            yield unquote(match[0].replace("+", " "), errors="replace"), *match.span()
    for match in _TAGS.finditer(text):
        yield tags_as_ascii(match[0]), *match.span()


def _from_base64(text: str) -> bytes:
    standard = text.rstrip("=").translate(_URL_SAFE)
    whole = standard[: len(standard) - (len(standard) % 4 == 1)]
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4))
    except binascii.Error:
        return b""


def _as_text(data: bytes) -> str | None:
    try:
        decoded = data.decode()
    except UnicodeDecodeError:
        return None
    return decoded if _SPACE.search(decoded) or not decoded.isascii() else None
