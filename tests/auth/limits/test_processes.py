"""Several processes with 64 clients in all: together they are admitted exactly so often."""

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ibex.ids import uuid7
from tests.fixtures import Database

ROOT = Path(__file__).parents[3]


def test_sixty_four_clients_of_four_processes_get_exactly_the_limits(database: Database) -> None:
    given = {
        "redis_url": database.redis_url,
        "org_id": str(uuid7()),
        "agent": str(uuid7()),
        "clients": 16,
        "times": 10,
        "requests": 301,
        "tokens": 1_000,
        "concurrent": 97,
    }

    def crowd(number: int) -> dict[str, int]:
        ran = subprocess.run(
            [sys.executable, "-m", "tests.auth.limits.crowd"],
            input=json.dumps({**given, "name": str(number)}),
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            check=True,
        )
        counts: dict[str, int] = json.loads(ran.stdout)
        return counts

    admitted: Counter[str] = Counter()
    with ThreadPoolExecutor(4) as processes:
        for counts in processes.map(crowd, range(4)):
            admitted.update(counts)
    assert admitted == {"requests": 301, "tokens": 1_000 // 7, "concurrent": 97}
