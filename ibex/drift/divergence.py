"""How far two distributions of names are from each other."""

import math
from collections.abc import Mapping


def jensen_shannon(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The Jensen-Shannon distance: the root of the divergence in bits; 0 for equal shares, 1 for disjoint.

    Counts of each name; an empty distribution differs from none. Source: Endres and Schindelin, A new metric
    for probability distributions, 2003.
    """
    total, others = sum(one.values()), sum(other.values())
    if total <= 0 or others <= 0:
        return 0.0
    divergence = 0.0
    for name in one.keys() | other.keys():
        p, q = one.get(name, 0.0) / total, other.get(name, 0.0) / others
        middle = (p + q) / 2
        divergence += sum(each * math.log2(each / middle) for each in (p, q) if each > 0) / 2
    return math.sqrt(min(max(divergence, 0.0), 1.0))
