"""Personal data: what names or reaches a person."""

from collections.abc import Iterator

from ibex.memory.writing.detection.finding import Finding
from ibex.memory.writing.detection.personal.contact import find_emails, find_ip_addresses
from ibex.memory.writing.detection.personal.identifier import find_identifiers
from ibex.memory.writing.detection.personal.payment import find_cards, find_ibans
from ibex.memory.writing.detection.personal.phone import find_phones
from ibex.memory.writing.detection.personal.registers import REGISTERS
from ibex.memory.writing.detection.personal.zones import digit_zones

__all__ = ["find_personal_data"]


def find_personal_data(text: str) -> Iterator[Finding]:
    """All personal data that is recognised in the text, in no order; findings may overlap."""
    yield from find_emails(text)
    yield from find_ip_addresses(text)
    yield from find_ibans(text)
    zones = list(digit_zones(text))
    if zones:
        yield from find_cards(text, zones)
        yield from find_identifiers(text, zones, REGISTERS)
        yield from find_phones(text, zones)
