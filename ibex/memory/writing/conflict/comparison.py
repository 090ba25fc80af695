"""What a later claim does to an earlier one."""

from enum import Enum

from ibex.memory.writing.conflict.claim import Claim
from ibex.memory.writing.conflict.regions import extent, town
from ibex.memory.writing.conflict.wording import contrast


class Relation(Enum):
    UNRELATED = "unrelated"
    REPLACES = "replaces"
    UNCERTAIN = "uncertain"


def compare(later: Claim, earlier: Claim) -> Relation:
    """Both can be true, the later ends the earlier, or it cannot be said."""
    if (later.subject, later.attribute) != (earlier.subject, earlier.attribute):
        return Relation.UNRELATED
    same = later.value == earlier.value
    if later.affirmed != earlier.affirmed:
        return _denial(later, earlier) if same else Relation.UNRELATED
    if same or not later.affirmed or not (later.exclusive and earlier.exclusive):
        return Relation.UNRELATED
    if _refines(later.value, earlier.value) or town(later.value) == town(earlier.value):
        return Relation.UNRELATED
    if later.replaces and later.replaces != earlier.value:
        # "from London to Rome" when the earlier says Paris: something between is not known.
        return Relation.UNCERTAIN
    if later.attribute == "residence" and extent(later.value) is not extent(earlier.value):
        # Who lives in Paris may live in France; who moved from Paris to Spain has said so.
        return Relation.REPLACES if later.replaces else Relation.UNCERTAIN
    if later.attribute == "employer" and not earlier.firm:
        # Who works at Acme may be in the club that they joined.
        return Relation.UNCERTAIN
    firm = later.firm or contrast(later.value, earlier.value)
    return Relation.REPLACES if firm else Relation.UNCERTAIN


def _denial(later: Claim, earlier: Claim) -> Relation:
    return Relation.REPLACES if later.firm and earlier.firm else Relation.UNCERTAIN


def _refines(one: str, other: str) -> bool:
    """Whether one value is the other and more: "Rome" and "Rome Italy"."""
    words, others = set(one.split()), set(other.split())
    return words <= others or others <= words
