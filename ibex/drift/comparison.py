"""What moved, by how much, and how serious that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ibex.drift.baseline import Baseline, LabelBaseline, NumberBaseline
from ibex.drift.detection import NEW, RARE, Finding
from ibex.drift.divergence import jensen_shannon
from ibex.drift.observation import LABELS, NUMBERS, ONLY, typical
from ibex.drift.window import Block, merged

Severity = Literal["low", "medium", "high"]
SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high")

# Cohen calls 0.8 standard deviations a large difference; an agent that is two away behaves like another one.
_MEDIUM_DEVIATIONS = 1.0
_HIGH_DEVIATIONS = 2.0
# The Jensen-Shannon distance is 0.25 when 12 % of the calls use a new tool, and 0.5 when 40 % do.
_MEDIUM_DISTANCE = 0.25
_HIGH_DISTANCE = 0.5
# A provider that names its model differently is a likely cause; by itself it is no behaviour.
_AT_MOST_MEDIUM = "model_served"
# Logarithms differ by as much at least before they count as one standard deviation: 1 %.
_LEAST_DEVIATION = 0.01


@dataclass(frozen=True, slots=True)
class Moved:
    """One feature of an alert.

    Parameters
    ----------
    label: the name that moved most; None for numbers. `(new)` and `(rare)` stand for several.
    names: the new names, the most frequent first.
    before, after: the typical value (geometric mean), or the share of the calls that have the name.
    magnitude: standard deviations of the logarithm, or the Jensen-Shannon distance.
    excess: over the threshold of an alert, which is 1.
    """

    feature: str
    label: str | None
    names: tuple[str, ...]
    before: float
    after: float
    magnitude: float
    unit: Literal["standard_deviations", "js_distance"]
    excess: float
    severity: Severity


def moved(baseline: Baseline, blocks: Sequence[Block], findings: Sequence[Finding]) -> list[Moved]:
    """The features that were found to differ, those that differ most first."""
    described = []
    for each in findings:
        if each.feature in NUMBERS:
            number = baseline.numbers[NUMBERS.index(each.feature)]
            described += [] if number is None else [_number(number, blocks, each)]
        else:
            label = baseline.labels[LABELS.index(each.feature)]
            described += [] if label is None else [_label(label, blocks, each)]
    return sorted(described, key=lambda each: -each.excess)


def worst(features: Sequence[Moved]) -> Severity:
    return max((each.severity for each in features if each.excess >= 1.0), key=SEVERITIES.index)


def _number(known: NumberBaseline, blocks: Sequence[Block], finding: Finding) -> Moved:
    number = NUMBERS.index(finding.feature)
    last = merged(blocks[-finding.blocks :])
    mean = last.sums[number] / last.counts[number]
    magnitude = (mean - known.mean) / max(known.deviation, _LEAST_DEVIATION)
    return Moved(
        feature=finding.feature,
        label=None,
        names=(),
        before=typical(finding.feature, known.mean),
        after=typical(finding.feature, mean),
        magnitude=round(magnitude, 3),
        unit="standard_deviations",
        excess=round(finding.excess, 3),
        severity=_severity(abs(magnitude), _MEDIUM_DEVIATIONS, _HIGH_DEVIATIONS),
    )


def _label(known: LabelBaseline, blocks: Sequence[Block], finding: Finding) -> Moved:
    number = LABELS.index(finding.feature)
    last = merged(blocks[-finding.blocks :])
    calls, of = last.labels[number], last.labelled[number]
    new = [name for name in sorted(calls, key=lambda name: -calls[name]) if name not in known.calls]
    rare = [name for name in known.calls if name not in known.rates]
    meant = {NEW: new, RARE: rare}.get(finding.label or "", [finding.label or ""])
    distance = jensen_shannon(
        _whole(finding.feature, known.calls, known.count), _whole(finding.feature, calls, of)
    )
    severity = _severity(distance, _MEDIUM_DISTANCE, _HIGH_DISTANCE)
    if finding.feature == _AT_MOST_MEDIUM and severity == "high":
        severity = "medium"
    return Moved(
        feature=finding.feature,
        label=finding.label,
        names=tuple(new[:5]),
        before=round(sum(known.calls.get(name, 0) for name in meant) / known.count, 4),
        after=round(sum(calls.get(name, 0) for name in meant) / max(of, 1), 4),
        magnitude=round(distance, 3),
        unit="js_distance",
        excess=round(finding.excess, 3),
        severity=severity,
    )


def _whole(feature: str, calls: Mapping[str, int], of: int) -> dict[str, float]:
    """With those that have no name, where that is one of two ways."""
    without = {"": of - calls.get(ONLY[feature], 0)} if feature in ONLY else {}
    return {**calls, **without}


def _severity(magnitude: float, medium: float, high: float) -> Severity:
    return "high" if magnitude >= high else "medium" if magnitude >= medium else "low"
