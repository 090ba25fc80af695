"""How an agent behaves: its last hundred calls in a few numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ibex.drift.baseline import Baseline
from ibex.drift.divergence import jensen_shannon
from ibex.drift.observation import LABELS, NUMBERS, ONLY, typical
from ibex.drift.window import Block, merged

# Blocks of ten calls.
LENGTH = 10
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Some calls in a row.

    Parameters
    ----------
    numbers: of each feature the geometric mean, and the standard deviation of the logarithm.
    shares: of each feature the share of the calls that have a name, the most frequent first.
    distances: from the baseline, as Jensen-Shannon distances of the names; empty without one.
    """

    calls: int
    numbers: dict[str, dict[str, float]]
    shares: dict[str, dict[str, float]]
    distances: dict[str, float]

    @classmethod
    def of(cls, blocks: Sequence[Block], baseline: Baseline | None) -> "Fingerprint":
        """Of the last blocks."""
        last = merged(blocks[-LENGTH:])
        return cls(
            calls=last.labelled[0],
            numbers={
                feature: _number(feature, last.counts[number], last.sums[number], last.squares[number])
                for number, feature in enumerate(NUMBERS)
                if last.counts[number]
            },
            shares={
                feature: {
                    name: round(count / last.labelled[number], 4)
                    for name, count in sorted(last.labels[number].items(), key=lambda one: -one[1])[
                        :_MOST_NAMES
                    ]
                }
                for number, feature in enumerate(LABELS)
                if last.labelled[number]
            },
            distances={} if baseline is None else _distances(last, baseline),
        )


def _number(feature: str, count: int, total: float, squares: float) -> dict[str, float]:
    mean = total / count
    deviation = math.sqrt(max(squares / count - mean * mean, 0.0))
    return {"typical": typical(feature, mean), "deviation": round(deviation, 4), "calls": count}


def _distances(last: Block, baseline: Baseline) -> dict[str, float]:
    found = {}
    for number, feature in enumerate(LABELS):
        known = baseline.labels[number]
        if known is None or not last.labelled[number] or feature in ONLY:
            continue
        found[feature] = round(jensen_shannon(known.calls, last.labels[number]), 4)
    return found
