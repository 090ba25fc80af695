"""From relevance to rank."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.columns import Columns

RELEVANCE, RECENCY, USEFULNESS, CONFIDENCE, USE = 0.40, 0.25, 0.20, 0.10, 0.05


@dataclass(frozen=True, slots=True)
class Ranking:
    """The five terms and their weighted sum; arrays of shape (n,).

    Relevance is in standard deviations, the others lie between 0 and 1. So relevance decides wherever
    memories differ in it, and the others among those that are about equally relevant.
    """

    relevance: NDArray[np.float64]
    recency: NDArray[np.float64]
    usefulness: NDArray[np.float64]
    confidence: NDArray[np.float64]
    use: NDArray[np.float64]
    score: NDArray[np.float64]


def ranking(relevance: NDArray[np.float64], columns: Columns, now: datetime) -> Ranking:
    """`relevance` and `columns` have the same order."""
    recency = _recency(columns.observed, columns.half_life, now.timestamp())
    use = np.log1p(columns.uses)
    use = use / max(use.max(initial=0.0), 1.0)
    score = (
        RELEVANCE * relevance
        + RECENCY * recency
        + USEFULNESS * columns.usefulness
        + CONFIDENCE * columns.confidence
        + USE * use
    )
    return Ranking(relevance, recency, columns.usefulness, columns.confidence, use, score)


def _recency(
    observed: NDArray[np.float64], half_life: NDArray[np.float64], now: float
) -> NDArray[np.float64]:
    # In what reaches far back, what is asked for mostly lies far back: the half-life is at least the time
    # that the memories span. With 30 days, multi-hop recall@10 on LoCoMo loses two points.
    span = observed.max(initial=0.0) - observed.min(initial=np.inf)
    recency: NDArray[np.float64] = np.exp2(-np.maximum(now - observed, 0) / np.maximum(half_life, span))
    return recency
