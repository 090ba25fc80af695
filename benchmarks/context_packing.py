"""Packing by itself: a hundred candidates into a thousand tokens."""

from time import perf_counter
from uuid import UUID

import numpy as np

from benchmarks.load import percentile
from ibex.context.packing import Candidate, PackingRules, pack

_CANDIDATES = 100
_BUDGET = 1_000
_ROUNDS = 1_000


def measured() -> list[float]:
    """Seconds of each packing, every one of other candidates."""
    random = np.random.default_rng(5)
    vocabulary = [f"word{number}" for number in range(400)]
    seconds = []
    for _ in range(_ROUNDS):
        candidates = [
            Candidate(
                id=UUID(int=number),
                kind="episodic",
                value=float(random.random()),
                tokens=int(random.integers(15, 120)),
                pinned=bool(random.random() < 0.02),
                terms=frozenset(random.choice(vocabulary, int(random.integers(5, 30))).tolist()),
            )
            for number in range(_CANDIDATES)
        ]
        began = perf_counter()
        pack(candidates, _BUDGET, PackingRules())
        seconds.append(perf_counter() - began)
    return seconds


def table(seconds: list[float]) -> str:
    shares = [percentile(seconds, share) for share in (0.5, 0.95, 0.99)]
    return (
        f"| packing {_CANDIDATES} candidates into {_BUDGET:,} tokens | asked | got |\n|---|---|---|\n"
        f"| p50 / p95 / p99, ms | p99 < 5 | {' / '.join(f'{share:.2f}' for share in shares)} |"
    )
