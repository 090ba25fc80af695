"""Private keys in PEM (RFC 7468), OpenSSH and OpenPGP (RFC 9580) armor."""

import re
from collections.abc import Iterator
from itertools import pairwise

from ibex.memory.writing.detection.finding import Category, Finding, Severity

_MARK = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
# The body of a key whose end is missing: lines of base64, with line ends as they are or as in JSON.
_BODY = re.compile(
    r"(?:\s{0,4}(?:\\[nr]){0,2}"
    r"(?:(?:Version|Comment|Proc-Type|DEK-Info): [^\n-]{0,200}|[A-Za-z0-9+/]{16,}+={0,2}))*+"
)


def find_private_keys(text: str) -> Iterator[Finding]:
    """Every private key with its armor. One that was cut off goes as far as its base64 goes."""
    if "PRIVATE KEY" not in text:
        return
    marks = [*_MARK.finditer(text), None]
    for mark, following in pairwise(marks):
        if mark is None or mark[1] == "END":
            continue
        if following is not None and following[1] == "END":
            end = following.end()
        else:
            body = _BODY.match(text, mark.end())
            end = body.end() if body else mark.end()
        yield Finding(Category.SECRET, "private_key", "private_key", Severity.CRITICAL, mark.start(), end)
