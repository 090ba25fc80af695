"""Whether the last calls of an agent are still like those of its baseline.

Each feature is compared over every number of last blocks that the window holds, which finds a change
whenever it began (a generalised likelihood ratio over its beginning). What is compared are two samples, so
that what a baseline of so many calls cannot tell is not held against the agent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from ibex.drift.baseline import Baseline, LabelBaseline, LabelRate, at_once, is_rare, is_usual
from ibex.drift.observation import LABELS, NUMBERS, ONLY
from ibex.drift.scores import Floats
from ibex.drift.window import Block

# How likely one feature may look changed at one of its looks when it is not. Chosen by simulation
# (`python -m benchmarks.drift`): all features together stay under one false alert in 10,000 calls.
_CHANCE = 6e-6
# Names are compared over no less than so many blocks: of fewer, a single conversation can make up the most.
_FEWEST_BLOCKS = 2
RARE = "(rare)"
NEW = "(new)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One feature over the blocks in which it differs most.

    Parameters
    ----------
    label: the name that moved; None for numbers. `RARE` and `NEW` stand for several.
    deviation: how far it is from the baseline, in standard deviations of what chance does.
    threshold: what it must reach to be a change.
    blocks: how many of the last ones.
    """

    feature: str
    label: str | None
    deviation: float
    threshold: float
    blocks: int

    @property
    def excess(self) -> float:
        """1 and more is a change."""
        return abs(self.deviation) / self.threshold


def examine(
    baseline: Baseline, blocks: Sequence[Block], tolerance: Mapping[str, float] | None = None
) -> list[Finding]:
    """The most that each feature differs from the baseline.

    Parameters
    ----------
    blocks: the last ones, oldest first.
    tolerance: by what the threshold of a feature is multiplied.
    """
    if not blocks:
        return []
    tolerated = tolerance or {}
    found = _numbers(baseline, blocks, tolerated)
    for number, feature in enumerate(LABELS):
        known = baseline.labels[number]
        if known is not None and len(blocks) >= _FEWEST_BLOCKS:
            found.append(_labels(feature, known, number, blocks, tolerated.get(feature, 1.0)))
    return found


def _numbers(baseline: Baseline, blocks: Sequence[Block], tolerated: Mapping[str, float]) -> list[Finding]:
    sums = _backwards([block.scores for block in blocks])
    counts = _backwards([block.counts for block in blocks])
    found = []
    for number, feature in enumerate(NUMBERS):
        known = baseline.numbers[number]
        if known is None:
            continue
        count = np.maximum(counts[:, number], 1.0)
        spread = np.sqrt(known.inflation * count * (1.0 + count / known.count))
        deviations = sums[:, number] / spread
        where = int(np.abs(deviations).argmax())
        threshold = _threshold(1) * tolerated.get(feature, 1.0)
        found.append(Finding(feature, None, float(deviations[where]), threshold, where + 1))
    return found


def _labels(
    feature: str, known: LabelBaseline, number: int, blocks: Sequence[Block], tolerance: float
) -> Finding:
    """The name that differs most."""
    names: list[tuple[str, LabelRate]] = [*known.rates.items()]
    if feature not in ONLY:
        names += [(RARE, known.rare), (NEW, known.new)]
    counts = np.array([_counted(known, names, block, number) for block in blocks])
    deviations = _deviations(
        _backwards(counts)[_FEWEST_BLOCKS - 1 :],
        _backwards([[block.labelled[number]] for block in blocks])[_FEWEST_BLOCKS - 1 :],
        np.array([rate.count for _, rate in names]),
        float(known.count),
    ) / np.sqrt(np.array([rate.inflation for _, rate in names]))
    where, which = np.unravel_index(int(np.abs(deviations).argmax()), deviations.shape)
    threshold = _threshold(len(names)) * tolerance
    return Finding(
        feature, names[which][0], float(deviations[where, which]), threshold, int(where) + _FEWEST_BLOCKS
    )


def _counted(
    known: LabelBaseline, names: Sequence[tuple[str, LabelRate]], block: Block, number: int
) -> list[float]:
    there, of = block.labels[number], block.labelled[number]
    rare = new = 0
    for name, count in there.items():
        if name not in known.calls:
            new += count
        elif name not in known.rates:
            rare += count
    counted = []
    for name, rate in names:
        count = rare if name == RARE else new if name == NEW else there.get(name, 0)
        share = rate.count / known.count
        counted.append(at_once(min(count, of), of, is_rare(share), is_usual(share)))
    return counted


def _deviations(count: Floats, of: Floats, before: Floats, before_of: float) -> Floats:
    """The signed root of the deviance of two binomial samples, which is about normal.

    Of a sample no more than all can have a name.
    """
    count, before = np.minimum(count, of), np.minimum(before, before_of)
    pooled = (count + before) / (of + before_of)
    deviance = (
        _part(count, of * pooled)
        + _part(of - count, of * (1.0 - pooled))
        + _part(before, before_of * pooled)
        + _part(before_of - before, before_of * (1.0 - pooled))
    )
    sign: Floats = np.sign(count * before_of - before * of)
    return sign * np.sqrt(np.maximum(2.0 * deviance, 0.0))


def _part(found: Floats, expected: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(found > 0.0, found * np.log(found / expected), 0.0)


def _backwards(rows: Sequence[Sequence[float]] | Floats) -> Floats:
    """Sums over the last row, the last two, the last three …"""
    sums: Floats = np.cumsum(np.asarray(rows, dtype=float)[::-1], axis=0)
    return sums


@cache
def _threshold(names: int) -> float:
    """Each of several names has its part of the chance that their feature may have."""
    return NormalDist().inv_cdf(1.0 - _CHANCE / 2.0 / names)
