"""Phone numbers, judged by libphonenumber."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ibex.memory.writing.detection.finding import Category, Finding, Severity
from ibex.memory.writing.detection.personal.context import (
    THINGS,
    Vocabulary,
    context_of,
    continues_list,
    follows_placeholder,
)
from ibex.memory.writing.detection.personal.zones import LETTERS, SEPARATOR, Zone, shorter_ends

_SEPARATORS = rf"(?:{SEPARATOR}|[()]){{0,3}}"
_BEFORE = rf"(?<![{LETTERS}.,/#$€£¥%@-])"
_AFTER = rf"(?![{LETTERS}@%$€£]|[.,:/-][0-9])"
_INTERNATIONAL = re.compile(rf"(?<![{LETTERS}+])\+(?:{_SEPARATORS}[0-9]){{7,17}}+")
# Numbers whose grouping says what they are: (415) 555-0132, 415-555-0132, 06 12 34 56 78.
_GROUPED = (
    (
        "US",
        re.compile(
            rf"{_BEFORE}(?:1[ .-])?(?:\([2-9][0-9]{{2}}\) ?|[2-9][0-9]{{2}}[.-])"
            rf"[2-9][0-9]{{2}}[.-][0-9]{{4}}{_AFTER}"
        ),
    ),
    ("FR", re.compile(rf"{_BEFORE}0[1-9](?:[ .\u00a0\u202f][0-9]{{2}}){{4}}{_AFTER}")),
)
# Any other number needs a word nearby that says what it is.
_NATIONAL = re.compile(rf"{_BEFORE}\(?[0-9](?:{_SEPARATORS}[0-9]){{6,14}}+{_AFTER}")
_PHONE = Vocabulary(
    words=frozenset({
        "tel", "cell", "call", "called", "calling", "ring", "dial", "text", "texted", "sms", "signal", "fax",
        "handy", "bel", "reach", "reached", "portable", "llama", "llame", "ligue", "ligar",
    }),
    stems=(
        "phone", "telephon", "téléphon", "telefon", "teléfono", "mobil", "móvil", "movil", "whatsapp",
        "landline",
        "rufnummer", "anruf", "erreichbar", "festnetz", "appel", "joindre", "celular", "llám", "cellulare",
        "chiam", "telemóve", "telefoon", "komórk", "телефон", "мобильн", "позвон", "звон", "هاتف",
        "جوال", "फोन",
    ),
    parts=("电话", "手机", "電話", "携帯", "전화"),
)  # fmt: skip
# `Steuer-ID 36 574 261 809` is a national number; beside `call`, an id is still no phone.
_NO_PHONE = replace(THINGS, words=THINGS.words | {"id", "ids"})
# Where a number without a country code may come from: the places with the most speakers of the languages
# above. Each costs some 40 microseconds a number, and is asked only beside a word of the vocabulary.
_REGIONS = (
    "US",
    "GB",
    "FR",
    "DE",
    "ES",
    "IT",
    "NL",
    "BR",
    "IN",
    "PL",
    "PT",
    "MX",
    "RU",
    "CN",
    "JP",
    "KR",
    "AU",
)


# Look-ups per text, some 40 microseconds each. The numbers after that are taken at their form: whoever sends
# hundreds of them sends a list of phone numbers, or is after the processor.
_MOST_LOOKUPS = 500
_FEWEST_DIGITS = 7


def find_phones(text: str, zones: Sequence[Zone]) -> Iterator[Finding]:
    """Numbers with a country code, in a national grouping, or beside a word like `call`."""
    plan = NumberingPlan(_MOST_LOOKUPS)
    previous_end = -1
    for zone in zones:
        if zone.digits < _FEWEST_DIGITS:
            continue
        for match in _INTERNATIONAL.finditer(text, zone.start, zone.end):
            end = next(
                (each for each in shorter_ends(text, *match.span()) if plan.has(text[match.start() : each])),
                None,
            )
            if end is not None:
                yield _phone(match.start(), end)
        for region, pattern in _GROUPED:
            for match in pattern.finditer(text, zone.start, zone.end):
                if not context_of(text, *match.span()).speaks_against(_PHONE) and plan.has(match[0], region):
                    yield _phone(*match.span())
        for match in _NATIONAL.finditer(text, zone.start, zone.end):
            named = (
                continues_list(text, previous_end, match.start())
                or follows_placeholder(text, "phone", match.start())
                or context_of(text, *match.span()).speaks_for(_PHONE, against=_NO_PHONE)
            )
            if named and any(plan.has(match[0], region) for region in _REGIONS):
                previous_end = match.end()
                yield _phone(*match.span())


class NumberingPlan:
    """The numbering plans of the world, of which one may ask so often."""

    def __init__(self, lookups: int) -> None:
        self._left = lookups

    def has(self, text: str, region: str | None = None) -> bool:
        """Whether the text is a number that is given out. True once the look-ups are used up."""
        if self._left == 0:
            return True
        self._left -= 1
        # Imported when the first candidate turns up: the tables take 30 ms to load.
        import phonenumbers

        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            return False
        return phonenumbers.is_valid_number(number)


def _phone(start: int, end: int) -> Finding:
    return Finding(Category.PII, "phone", "phone", Severity.MEDIUM, start, end)
