"""How often drift is alerted where there is none, and how soon where there is some.

Run `python -m benchmarks.drift`; 100 runs of each line take some ten minutes on two cores.
"""

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from statistics import median

from benchmarks.drift_simulation import (
    CONVERSATIONS,
    INDEPENDENT,
    ROUGH,
    TIES,
    Alarm,
    Change,
    Kind,
    delay,
    false_alarms,
)

_KINDS = {"independent": INDEPENDENT, "conversations": CONVERSATIONS, "rough": ROUGH, "ties": TIES}
# What is simulated, and within how many calls it is to be found.
_CHANGES = (
    ("latency + 0.5 standard deviations", Change(shift=(0.5, 0, 0, 0)), 300),
    ("output tokens - 0.5", Change(shift=(0, -0.5, 0, 0)), 300),
    ("characters + 0.5", Change(shift=(0, 0, 0.5, 0)), 300),
    ("input tokens + 0.5", Change(shift=(0, 0, 0, 0.5)), 300),
    ("latency + 1", Change(shift=(1, 0, 0, 0)), 100),
    ("output tokens - 1", Change(shift=(0, -1, 0, 0)), 100),
    ("characters + 1", Change(shift=(0, 0, 1, 0)), 100),
    ("input tokens + 1", Change(shift=(0, 0, 0, 1)), 100),
    ("a new tool in 20 % of the calls", Change(new_tool=0.2), 100),
    ("errors in 10 % of the calls", Change(errors=0.1), 300),
    ("errors in 20 % of the calls", Change(errors=0.2), 100),
    ("another model answers", Change(served="another"), 100),
)
_CALLS = 10_000
# Calls between the baseline and a change.
_QUIET = 300
# Changes have seeds of their own.
_FIRST_SEED_OF_CHANGES = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="of each line of the tables (default: 200)")
    parser.add_argument("--learned", type=int, default=1_000, help="calls of a baseline (default: 1000)")
    given = parser.parse_args()
    seeds = range(given.runs)
    with ProcessPoolExecutor(os.cpu_count()) as workers:
        print(f"Baselines of {given.learned:,} calls. False alerts: seeds 0 to {given.runs - 1}.\n")
        print(
            f"| without a change, {_CALLS:,} calls | false alerts per agent | runs without one | features |"
        )
        print("|---|---|---|---|")
        for name, kind in _KINDS.items():
            print(_quiet(workers, name, kind, seeds, given.learned), flush=True)
        first = _FIRST_SEED_OF_CHANGES
        print(
            f"\nChanges: seeds {first} to {first + given.runs - 1}; found in time, median delay in calls.\n"
        )
        print("| change | to be found within | " + " | ".join(_KINDS) + " |")
        print("|---" * (len(_KINDS) + 2) + "|")
        for label, change, within in _CHANGES:
            cells = [
                _found(workers, kind, change, within, [first + seed for seed in seeds], given.learned)
                for kind in _KINDS.values()
            ]
            print(f"| {label} | {within} | " + " | ".join(cells) + " |", flush=True)


def _quiet(workers: Executor, name: str, kind: Kind, seeds: Sequence[int], learned: int) -> str:
    run = partial(false_alarms, kind, learned=learned, calls=_CALLS)
    found = list(workers.map(run, seeds, chunksize=4))
    features = Counter(feature for alarms in found for alarm in alarms for feature in alarm.features)
    named = ", ".join(f"{feature} {count}" for feature, count in features.most_common())
    without = sum(not alarms for alarms in found) / len(found)
    return f"| {name} | {sum(map(len, found)) / len(found):.2f} | {without:.0%} | {named} |"


def _found(
    workers: Executor, kind: Kind, change: Change, within: int, seeds: Sequence[int], learned: int
) -> str:
    run = partial(delay, kind, change, learned=learned, quiet=_QUIET, until=within)
    found: list[Alarm | None] = list(workers.map(run, seeds, chunksize=8))
    delays = [each.calls for each in found if each is not None]
    share = f"{len(delays) / len(found):.1%}"
    return f"{share}, {median(delays):.0f}" if delays else share


if __name__ == "__main__":
    main()
