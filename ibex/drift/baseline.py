"""How an agent behaved when all was well: what later calls are compared with."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ibex.drift.observation import LABELS, NUMBERS, ONLY, Observation, typical
from ibex.drift.scores import Floats, inflation, quantiles, scores
from ibex.drift.window import BLOCK

# A feature that fewer calls of the baseline have is not watched.
FEWEST = 100
# Names that fewer calls have are watched together, as rare ones.
_FEWEST_LABELLED = 10
_MOST_LABELS = 12
# Beyond, the rarest names are taken for new ones.
_MOST_KNOWN = 500
# What less than a tenth of the calls have counts twice at most in ten calls, so that one outage, or one
# conversation, is no change, and many are.
_RARE = 0.1
_MOST_AT_ONCE = 2
# Failures come in outages, and a conversation repeats what it did: a baseline may hold too few of what is
# rare to show it. Chosen by simulation.
_LEAST_INFLATION_OF_RARE = 1.5


@dataclass(frozen=True, slots=True)
class NumberBaseline:
    """One of `NUMBERS`.

    Parameters
    ----------
    count: calls that have it.
    mean, deviation: of its logarithm.
    points: of its distribution.
    score_mean: of its scores, which differs from 0 where there are ties.
    inflation: of the variance of a mean, for calls that resemble each other.
    """

    count: int
    mean: float
    deviation: float
    points: list[float]
    score_mean: float
    inflation: float

    def scored(self, values: Floats) -> Floats:
        # Their deviation is 1, and less with ties. Divided by that, the few calls of a feature that hardly
        # varies which are different would each be a large change.
        return scores(values, np.array(self.points)) - self.score_mean


@dataclass(frozen=True, slots=True)
class LabelRate:
    """How many calls of the baseline have a name, as `at_once` counts them, and how alike calls are in it."""

    count: float
    inflation: float


@dataclass(frozen=True, slots=True)
class LabelBaseline:
    """One of `LABELS`.

    Parameters
    ----------
    count: calls that can have one.
    calls: that have each name.
    rates: names that are watched one by one.
    rare: the other names together.
    new: names that the baseline does not have. That they come is as likely as that a call has one that no
        other call has (Good and Turing's estimate).
    """

    count: int
    calls: dict[str, int]
    rates: dict[str, LabelRate]
    rare: LabelRate
    new: LabelRate


@dataclass(frozen=True, slots=True)
class Baseline:
    """How an agent behaved over some calls; None for what too few of them tell of."""

    calls: int
    numbers: list[NumberBaseline | None]
    labels: list[LabelBaseline | None]

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> "Baseline":
        """Observations in the order of their calls."""
        return cls(
            calls=len(observations),
            numbers=[_number(observations, number) for number in range(len(NUMBERS))],
            labels=[_label(observations, number) for number in range(len(LABELS))],
        )

    def described(self) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
        """For people: geometric mean and deviation of numbers, shares of names, the most frequent first."""
        numbers = {
            feature: {"typical": typical(feature, known.mean), "deviation": round(known.deviation, 4)}
            for feature, known in zip(NUMBERS, self.numbers, strict=True)
            if known is not None
        }
        shares = {
            feature: {name: round(count / known.count, 4) for name, count in known.calls.items()}
            for feature, known in zip(LABELS, self.labels, strict=True)
            if known is not None
        }
        return numbers, shares

    def scores(self, observations: Sequence[Observation]) -> list[float]:
        """Scores of some calls, added up, for each of `NUMBERS`."""
        return [
            0.0 if known is None else _score(known, [each.numbers[number] for each in observations])
            for number, known in enumerate(self.numbers)
        ]


def at_once(count: float, of: float, is_rare: bool, is_usual: bool) -> float:
    """How much calls with a name count that come in one block of ten."""
    if is_rare:
        return min(count, _MOST_AT_ONCE)
    if is_usual:
        return of - min(of - count, _MOST_AT_ONCE)
    return count


def is_rare(share: float) -> bool:
    return share < _RARE


def is_usual(share: float) -> bool:
    return share > 1.0 - _RARE


def _score(known: NumberBaseline, values: Sequence[float | None]) -> float:
    there = np.array([value for value in values if value is not None])
    return float(known.scored(there).sum()) if len(there) else 0.0


def _number(observations: Sequence[Observation], number: int) -> NumberBaseline | None:
    having = [(value, each.session) for each in observations if (value := each.numbers[number]) is not None]
    if len(having) < FEWEST:
        return None
    values = np.array([value for value, _ in having])
    points = quantiles(values)
    raw = scores(values, points)
    return NumberBaseline(
        count=len(values),
        mean=float(values.mean()),
        deviation=float(values.std()),
        points=[round(float(point), 6) for point in points],
        score_mean=float(raw.mean()),
        inflation=inflation(raw, [session for _, session in having]),
    )


def _label(observations: Sequence[Observation], number: int) -> LabelBaseline | None:
    having = [(found, each.session) for each in observations if (found := each.labels[number]) is not None]
    if len(having) < FEWEST:
        return None
    sessions = [session for _, session in having]
    calls = Counter(name for found, _ in having for name in found)
    only = ONLY.get(LABELS[number])
    watched = [name for name, count in calls.most_common(_MOST_LABELS) if count >= _FEWEST_LABELLED]
    if only is not None:
        watched = [only]
    rates = {
        name: _rate(np.array([name in found for found, _ in having], dtype=float), sessions)
        for name in watched
    }
    others = np.array([any(name not in rates for name in found) for found, _ in having], dtype=float)
    # Of names that are new there is nothing to tell how alike calls are in them: as in those that are not.
    shares = [rate.count / len(having) for rate in rates.values()]
    weights = [share * (1.0 - share) + 1e-9 for share in shares]
    usual = sum(weight * rate.inflation for weight, rate in zip(weights, rates.values(), strict=True))
    alike = max(_LEAST_INFLATION_OF_RARE, usual / sum(weights) if weights else 1.0)
    return LabelBaseline(
        count=len(having),
        calls=dict(calls.most_common(_MOST_KNOWN)),
        rates=rates,
        rare=_rate(others, sessions),
        new=LabelRate(float(sum(any(calls[name] == 1 for name in found) for found, _ in having)), alike),
    )


def _rate(having: Floats, sessions: Sequence[str]) -> LabelRate:
    share = float(having.mean())
    rare, usual = is_rare(share), is_usual(share)
    if not rare and not usual:
        return LabelRate(float(having.sum()), inflation(having, sessions))
    sizes = [min(BLOCK, len(having) - start) for start in range(0, len(having), BLOCK)]
    counts = np.array(
        [
            at_once(float(having[start : start + size].sum()), size, rare, usual)
            for start, size in zip(range(0, len(having), BLOCK), sizes, strict=True)
        ]
    )
    count = float(counts.sum())
    share = count / len(having)
    independent = BLOCK * share * (1.0 - share)
    by_order = inflation(counts) * float(counts.var()) / independent if independent > 0.0 else 1.0
    return LabelRate(count, max(_LEAST_INFLATION_OF_RARE, by_order))
