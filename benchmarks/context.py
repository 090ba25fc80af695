"""The figures of context: how long an assembly takes, and how much of what is needed it tells.

    python -m benchmarks.context DIRECTORY --model DIR [--locomo locomo10.json]

100,000 made-up memories of one organization over 50 agents, 2,000 in each scope, are loaded into a Postgres
in that directory, once. An IBEX with one web process is pinned to one core and called, with a stub provider,
at 50 requests a second; Postgres, the stub and the load share the other core. Times are the receipts'.
With LoCoMo (see `benchmarks.locomo` for where to get it) each of its questions is previewed with budgets of
250 to 2,000 tokens of memories: told is the share of its evidence that stands in the text that would be sent.
It wants a quiet machine.
"""

import sys
from argparse import ArgumentParser
from pathlib import Path

from benchmarks import context_load, context_locomo, context_packing, machine


def main() -> None:
    parser = ArgumentParser(description="Assembly, packing, and what is told.")
    parser.add_argument("directory", type=Path, help="where the database is, or will be")
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="the embedding model's files"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of load")
    parser.add_argument("--locomo", type=Path, metavar="FILE", help="locomo10.json, or a file like it")
    options = parser.parse_args()
    taken_on = machine.describe()
    options.directory.mkdir(parents=True, exist_ok=True)
    # IBEX started as root runs its Postgres as another user, who must be able to come by.
    options.directory.chmod(0o755)
    print(context_packing.table(context_packing.measured()))
    print()
    print(context_load.table(context_load.measured(options.directory, options.model, options.seconds, _say)))
    if options.locomo is not None:
        print()
        print(context_locomo.table(context_locomo.measured(options.locomo, options.model, _say)))
    print(
        f"\n{taken_on.taken_at}, {taken_on.cpu}, {taken_on.cores} cores, Python {taken_on.python}; load "
        f"average before {taken_on.load_average[0]:.2f}."
    )


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
