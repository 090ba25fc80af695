"""Payment cards and bank accounts."""

import re
from collections.abc import Iterator, Sequence

from ibex.memory.writing.detection.finding import Category, Finding, Severity
from ibex.memory.writing.detection.personal.context import Vocabulary, context_of
from ibex.memory.writing.detection.personal.zones import LETTERS, Zone

_GAP = r"[ \u00a0\u202f\-]?"
_CARD = re.compile(rf"(?<![{LETTERS}.,/#$€£+-])[2-6](?:{_GAP}[0-9]){{11,18}}+(?![{LETTERS}%]|[.,/-][0-9])")
# ISO/IEC 7812 issuer ranges with the lengths their networks issue today.
_ISSUERS = (
    (re.compile(r"4"), (16, 19)),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),  # Mastercard
    (re.compile(r"3[47]"), (15,)),  # American Express
    (re.compile(r"6011|64[4-9]|65"), (16, 19)),  # Discover
    (re.compile(r"30[0-5]|36|38"), (14,)),  # Diners Club
    (re.compile(r"35(?:2[89]|[3-8])"), (16,)),  # JCB
    (re.compile(r"62"), (16, 17, 18, 19)),  # UnionPay
    (re.compile(r"50|5[6-9]|6[37]"), (16, 18, 19)),  # Maestro
    (re.compile(r"220[0-4]"), (16,)),  # Mir
)
_SHORTEST_CARD = 14
_CARD_WORDS = Vocabulary(
    words=frozenset({"card", "cards", "visa", "amex", "cb", "pan"}),
    stems=("credit", "debit", "mastercard", "payment", "karte", "kredit", "carte", "tarjeta", "carta",
        "cartão", "карт"),
    parts=("卡", "カード", "카드"),
)  # fmt: skip
_IBAN = re.compile(rf"(?<![{LETTERS}/])[A-Za-z]{{2}}[0-9]{{2}}(?:[ \u00a0\u202f-]?[0-9A-Za-z]){{11,31}}+")
_COUNTRY = re.compile(rf"(?<![{LETTERS}/])[A-Za-z]{{2}}[0-9]{{2}}")
_FIELD_LENGTH = re.compile(r"(\d++)!")
_NOT_DIGITS = re.compile(r"[^0-9]")


def find_cards(text: str, zones: Sequence[Zone]) -> Iterator[Finding]:
    """Numbers of a known issuer with the Luhn digit (ISO/IEC 7812-1). An order number stays what it is."""
    for zone in zones:
        if zone.digits < _SHORTEST_CARD:
            continue
        for match in _CARD.finditer(text, zone.start, zone.end):
            context = context_of(text, *match.span())
            if _is_card(_NOT_DIGITS.sub("", match[0])) and not context.speaks_against(_CARD_WORDS):
                yield Finding(Category.PII, "payment_card", "payment_card", Severity.HIGH, *match.span())


def find_ibans(text: str) -> Iterator[Finding]:
    """International bank account numbers (ISO 13616) whose country, form and check digits are right."""
    lengths: dict[str, int] = {}
    for opening in _COUNTRY.finditer(text):
        match = _IBAN.match(text, opening.start())
        if match is None:
            continue
        country = opening[0][:2].upper()
        if country not in lengths:
            lengths[country] = _iban_length(country)
        start = match.start()
        end = _end_after(match[0], lengths[country])
        if end is not None and _is_iban(match[0][:end]):
            yield Finding(Category.PII, "iban", "iban", Severity.HIGH, start, start + end)


def _end_after(text: str, characters: int) -> int | None:
    """Where the text's first letters and digits end, None when another follows right there."""
    places = [place for place, character in enumerate(text) if character.isalnum()]
    if not 0 < characters <= len(places):
        return None
    end = places[characters - 1] + 1
    return None if text[end : end + 1].isalnum() else end


def _is_card(digits: str) -> bool:
    from stdnum import luhn

    known = any(len(digits) in lengths and issuer.match(digits) for issuer, lengths in _ISSUERS)
    return known and len(set(digits)) > 1 and luhn.is_valid(digits)


def _is_iban(text: str) -> bool:
    from stdnum import iban

    # The country's own check of its bank codes is left out: it imports a module named by the text.
    return iban.is_valid(text, check_country=False)


def _iban_length(country: str) -> int:
    """Characters of an IBAN of that country, 0 for a country without."""
    from stdnum import numdb

    bban = numdb.get("iban").info(country)[0][1].get("bban", "")
    return 4 + sum(int(length) for length in _FIELD_LENGTH.findall(bban)) if bban else 0
