"""E-mail and IP addresses."""

import ipaddress
import re
from collections.abc import Iterator

from ibex.memory.writing.detection.finding import Category, Finding, Severity
from ibex.memory.writing.detection.personal.context import Vocabulary, context_of

# The unquoted form of RFC 5321, section 4.1.2, with the letters of RFC 6531; lengths of section 4.5.3.1.
_EMAIL = re.compile(
    r"(?<![\w.+%'-])[\w.+%'-]{1,64}+@(?P<domain>(?:[^\W_](?:[\w-]{0,62})\.){1,6}(?P<top>[^\W\d_]{2,24}))(?![\w-])"
)
# What follows an `@` in the names of pictures for dense screens: `logo@2x.png`.
_FILES = frozenset(
    {"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "ts", "py", "md", "json", "html"}
)
# Accounts that are the same for everybody, and RFC 2606, section 3.
_NOBODY = frozenset({"git", "noreply", "no-reply"})

_IPV4 = re.compile(r"(?<![\w.-])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w-]|\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}|:)(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:.])")
# A pattern that begins with a fixed character is found many times faster than the addresses themselves.
_IPV4_HINT = re.compile(r"\.[0-9]{1,3}\.[0-9]")
_IPV6_HINT = re.compile(r":[0-9A-Fa-f]{0,4}:")
_SOFTWARE = Vocabulary(stems=("version", "release", "firmware", "build", "upgrad", "updat"))


def find_emails(text: str) -> Iterator[Finding]:
    """Addresses of people. `git@host` and `noreply@host` are nobody's."""
    if "@" not in text:
        return
    for match in _EMAIL.finditer(text):
        local = match[0].partition("@")[0].lower()
        if local not in _NOBODY and match["top"].lower() not in _FILES:
            yield Finding(Category.PII, "email", "email", Severity.MEDIUM, *match.span())


def find_ip_addresses(text: str) -> Iterator[Finding]:
    """Addresses that are routed on the internet; private and documentation ranges name nobody."""
    for pattern, hint in ((_IPV4, _IPV4_HINT), (_IPV6, _IPV6_HINT)):
        if not hint.search(text):
            continue
        for match in pattern.finditer(text):
            if _is_public(match[0]) and not context_of(text, *match.span()).has(_SOFTWARE):
                yield Finding(Category.PII, "ip_address", "ip_address", Severity.LOW, *match.span())


def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
