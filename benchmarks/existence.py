"""Whether the time of an answer tells another tenant's resource from one that does not exist."""

import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from benchmarks.load import percentile

QUESTIONS = 400

Numbers = dict[str, float]


def measure(port: int, data_dir: Path, foreign: Mapping[str, str]) -> Numbers:
    """Medians in milliseconds of asking for a `foreign` id and for a random one, in turns, by path."""
    token = json.loads((data_dir / "credentials.json").read_text())["token"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    numbers: Numbers = {}

    def ask(path: str) -> float:
        began = perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 403:
            raise RuntimeError(f"{path}: {answer.status}")
        return perf_counter() - began

    for path, resource in foreign.items():
        theirs, nobodys = [], []
        for _ in range(QUESTIONS):
            theirs.append(ask(f"{path}/{resource}"))
            nobodys.append(ask(f"{path}/{uuid4()}"))
        numbers[f"{path}.foreign"] = percentile(theirs, 0.5)
        numbers[f"{path}.absent"] = percentile(nobodys, 0.5)
    connection.close()
    return numbers
