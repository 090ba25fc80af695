"""What is left of a minute in which processes are killed at random moments, under load.

    python -m benchmarks.faults [--seconds 60] [--seed 1] [--clickhouse]

`ibex serve` with two web and two job processes is started on a fresh data directory. Eight sessions call all
the time, and memories that are quarantined make events for a webhook. Every 0.2 to 2 seconds `kill -9` ends
a web process, a job process, Valkey, PostgreSQL or (with `--clickhouse`, which keeps the traces in the real
engine behind its HTTP interface) the ClickHouse endpoint. One job is in the queue that nobody can do. Then
what is stored is counted. It needs what the tests need.
"""

import asyncio
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from tests.faults.killing import assault, table


def main() -> None:
    parser = ArgumentParser(description="Kills processes under load, and counts what is left.")
    parser.add_argument("--seconds", type=float, default=60.0, help="of killing (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="of what is killed when (default 1)")
    parser.add_argument("--clickhouse", action="store_true", help="keep the traces in ClickHouse")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ibex-faults-") as directory:
        # IBEX started as root runs its Postgres as another user, who must be able to come by.
        Path(directory).chmod(0o755)
        outcome = asyncio.run(
            assault(
                Path(directory),
                options.seconds,
                options.seed,
                with_clickhouse=options.clickhouse,
                with_poison=True,
            )
        )
    print(f"{options.seconds:.0f} s, seed {options.seed}.\n")
    print(table(outcome))


if __name__ == "__main__":
    main()
