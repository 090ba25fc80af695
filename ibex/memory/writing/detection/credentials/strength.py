"""Whether a value that stands where a secret would stand is one."""

import math
import re
from collections import Counter

# Values that documentation and templates put where a secret will stand.
_STAND_INS = re.compile(
    r"(?i)\[redacted|<[^>]{0,80}>?$|\$[{(A-Z_a-z]|\{\{|%[A-Za-z_(]|\*{3,}+|x{4,}+|\.{3,}+"
    r"|(?:your|my|the|some|insert|enter|replace|change|example|dummy|fake|sample|placeholder|redacted|hidden"
    r"|none|null|nil|true|false|undefined|todo|tbd)(?![a-z0-9])"
    r"|changeme|example|placeholder|process\.env|os\.environ|os\.getenv|getenv|env\."
)
_NAME = re.compile(r"[^\W\d]++(?:[.-][^\W\d]++){0,20}\.?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2}(?::\d{2})?")
_HEX = re.compile(r"[0-9a-fA-F]{32,}+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_SHORTEST_PASSWORD = 6
_SHORTEST_KEY = 16
# Bits per character. Of 10,000 random base62 strings of 16 characters 99.9 % lie above 3.1; English words
# and identifiers of that length lie around 3.
_KEY_ENTROPY = 3.1


def entropy(text: str) -> float:
    """Shannon entropy of the characters, in bits per character."""
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values())


def is_stand_in(value: str) -> bool:
    """Whether the value only marks the place: `<your key>`, `${TOKEN}`, `os.environ`, `xxxx`."""
    return _STAND_INS.match(value) is not None


def is_password(value: str, *, quoted: bool, phrase: bool) -> bool:
    """Whether the value reads like a password a person would choose or be given.

    Unquoted, it takes more than letters: `password: required` is a sentence. Only a passphrase has spaces.
    """
    if len(value) < _SHORTEST_PASSWORD or is_stand_in(value) or _DATE.fullmatch(value):
        return False
    if any(character.isspace() for character in value):
        return quoted and phrase
    return quoted or not _NAME.fullmatch(value)


def is_key(value: str) -> bool:
    """Whether the value is random enough for a key or a token."""
    if len(value) < _SHORTEST_KEY or is_stand_in(value):
        return False
    if _HEX.fullmatch(value) or _UUID.fullmatch(value):
        return True
    mixed = any(character.isdigit() for character in value) and any(
        character.isalpha() for character in value
    )
    return mixed and entropy(value) >= _KEY_ENTROPY


def is_random(value: str) -> bool:
    """Whether the value is a key beyond doubt: random, and of digits, capitals and small letters.

    Asked where a name and a value merely stand side by side, as in a netrc file.
    """
    return (
        is_key(value)
        and any(character.isdigit() for character in value)
        and any(character.isupper() for character in value)
        and any(character.islower() for character in value)
    )
