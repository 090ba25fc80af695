"""Ranks as normal scores, and by how much calls that resemble each other count for less."""

from collections.abc import Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Points of the baseline's distribution that are kept: enough to rank by, and 2 KB of JSON.
POINTS = 201
# Calls apart that may still resemble each other, without belonging to one conversation.
_LAGS = 20
# With fewer conversations than this they tell nothing of how alike calls of one are.
_FEWEST_SESSIONS = 5


def quantiles(values: Floats) -> Floats:
    """`POINTS` points of the distribution of some values, in their order."""
    points: Floats = np.quantile(values, np.linspace(0.0, 1.0, POINTS))
    return points


def scores(values: Floats, points: Floats) -> Floats:
    """Where values stand among those of the baseline, as quantiles of the normal distribution.

    Van der Waerden's scores: what is outside of the baseline counts as its extremes do, so that no single
    value, however large, can look like a change. Ties stand in their middle.
    """
    ranks = np.searchsorted(points, values, "left") + np.searchsorted(points, values, "right")
    found: Floats = _table()[ranks]
    return found


@cache
def _table() -> Floats:
    """The score of each rank, which come in halves."""
    normal = NormalDist()
    ranks = 2 * POINTS + 1
    return np.array([normal.inv_cdf((rank + 1) / (ranks + 1)) for rank in range(ranks)])


def inflation(values: Floats, sessions: Sequence[str] = ()) -> float:
    """By how much larger than of independent values the variance of their mean is; 1 at least.

    Taken from how alike values of one conversation are (the cluster-robust variance), and from how alike
    values are that follow each other (Bartlett's lag window); the larger of both. Few conversations tell the
    first badly: it is multiplied by the variance of Student's t with one degree of freedom less than there
    are conversations.
    """
    centred = values - values.mean()
    total = float(centred @ centred)
    if total <= 0.0:
        return 1.0
    most = min(_LAGS, len(values) // 20)
    covariances = [
        float(centred[:-lag] @ centred[lag:]) * (1.0 - lag / (most + 1)) for lag in range(1, most + 1)
    ]
    by_order = 1.0 + 2.0 * sum(covariances) / total
    if not len(sessions):
        return max(1.0, by_order)
    _, codes = np.unique(np.asarray(sessions), return_inverse=True)
    sums = np.bincount(codes, centred)
    if len(sums) < _FEWEST_SESSIONS:
        return max(1.0, by_order)
    # n / (n - 1), as of any variance, times the variance of t: (n - 1) / (n - 3).
    by_session = float(sums @ sums) / total * len(sums) / (len(sums) - 3)
    return max(1.0, by_order, by_session)
