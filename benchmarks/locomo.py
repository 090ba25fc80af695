"""How much of the evidence of LoCoMo's questions a search finds, and how fast.

    python -m benchmarks.locomo locomo10.json

The data is `data/locomo10.json` of https://github.com/snap-research/locomo (Maharana et al., ACL 2024), under
CC BY-NC 4.0: it is for evaluation, and no part of IBEX. Each conversation is written turn by turn for an end
user of its own, with session, speaker and time, and each question is asked for that user, all over REST.
Recall@k is the share of a question's evidence turns that are among the first k results, averaged over
questions. Without `--url` an IBEX is started for it, once with the embedding model and once without.
"""

import json
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any
from uuid import uuid4

from benchmarks import machine
from benchmarks.gateways import Gateway, Place, free_port, running
from benchmarks.ibex_gateway import ibex
from benchmarks.load import percentile
from benchmarks.locomo_data import CATEGORIES, Dialogue, Turn, read
from benchmarks.rest_memory import MemoryClient

DEPTHS = (5, 10, 25, 50)


@dataclass(frozen=True, slots=True)
class Answered:
    """One question: its category, its recall at each of `DEPTHS`, and the seconds it took."""

    category: int
    recall: Sequence[float]
    seconds: float
    degraded: bool


@dataclass(frozen=True, slots=True)
class Run:
    """All questions with one way to search, and what became of the turns."""

    name: str
    answered: Sequence[Answered]
    turns: int
    not_live: int
    writing: float


def main() -> None:
    parser = ArgumentParser(description="Evidence recall on LoCoMo.")
    parser.add_argument("data", type=Path, help="locomo10.json, or a file like it")
    parser.add_argument("--url", help="an IBEX that runs; it keeps what is written")
    parser.add_argument("--token", help="for it, with memory:read and memory:write")
    parser.add_argument("--agent", help="id or slug, when the token is bound to none")
    parser.add_argument("--model", type=Path, metavar="DIR", help="the embedding model's files, once pulled")
    parser.add_argument("--captions", action="store_true", help="let turns say what their pictures show")
    options = parser.parse_args()
    taken_on = machine.describe()
    dialogues = read(options.data, captions=options.captions)
    if options.url:
        client = MemoryClient(options.url, options.token, options.agent)
        runs = [measured("as it runs", client, dialogues)]
    else:
        runs = list(_started(dialogues, options.model))
    print(table(runs))
    turns = sum(len(dialogue.turns) for dialogue in dialogues)
    questions = sum(len(dialogue.questions) for dialogue in dialogues)
    print(
        f"\n{len(dialogues)} conversations, {turns} turns{' with captions' if options.captions else ''}, "
        f"{questions} questions; {taken_on.taken_at}, {taken_on.cpu}, {taken_on.cores} cores, Python "
        f"{taken_on.python}; load average before {taken_on.load_average[0]:.2f}."
    )


def measured(name: str, client: MemoryClient, dialogues: Sequence[Dialogue]) -> Run:
    """Write every conversation, then ask every question."""
    run = uuid4().hex[:8]
    not_live, began = 0, perf_counter()
    for dialogue in dialogues:
        results = client.write(_user(run, dialogue), [memory_of(turn) for turn in dialogue.turns])
        not_live += sum(result["status"] != 201 for result in results)
    writing = perf_counter() - began
    answered = [
        _asked(client, _user(run, dialogue), question.text, question.evidence, question.category)
        for dialogue in dialogues
        for question in dialogue.questions
    ]
    return Run(name, answered, sum(len(dialogue.turns) for dialogue in dialogues), not_live, writing)


def table(runs: Sequence[Run]) -> str:
    """Markdown: recall in percent per run, overall and per category, then times in milliseconds."""
    lines = ["| | " + " | ".join(run.name for run in runs) + " |", "|---" * (len(runs) + 1) + "|"]
    for place, depth in enumerate(DEPTHS):
        cells = [f"{_recall(run.answered, place):.1f}" for run in runs]
        lines.append(f"| evidence recall@{depth}, all questions, % | " + " | ".join(cells) + " |")
    for category, name in CATEGORIES.items():
        groups = [[each for each in run.answered if each.category == category] for run in runs]
        for place, depth in enumerate(DEPTHS):
            cells = [f"{_recall(group, place):.1f}" for group in groups]
            label = f"recall@{depth}, {name} ({len(groups[0])}), %"
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    for share in (0.50, 0.95):
        cells = [f"{percentile([each.seconds for each in run.answered], share):.1f}" for run in runs]
        lines.append(f"| a search, p{share * 100:.0f}, ms | " + " | ".join(cells) + " |")
    rates = (f"{run.turns / run.writing:.0f}" for run in runs)
    lines.append("| writes/s, a hundred at a time | " + _cells(rates))
    lines.append("| turns not stored as new | " + _cells(str(run.not_live) for run in runs))
    without = (str(sum(each.degraded for each in run.answered)) for run in runs)
    lines.append("| questions answered by words alone | " + _cells(without))
    return "\n".join(lines)


def _started(dialogues: Sequence[Dialogue], model: Path | None) -> Iterator[Run]:
    model_settings = {} if model is None else {"IBEX_MODEL_PATH": str(model.resolve())}
    ways = {
        "with the model": {"IBEX_EMBEDDER_KIND": "local", **model_settings},
        "words alone": {"IBEX_EMBEDDER_KIND": "none"},
    }
    for name, environment in ways.items():
        with ibex_with(environment) as client:
            yield measured(name, client, dialogues)


@contextmanager
def ibex_with(settings: Mapping[str, str]) -> Iterator[MemoryClient]:
    gateway = ibex()

    def environment(place: Place) -> Mapping[str, str]:
        return {**gateway.environment(place), **settings}

    with tempfile.TemporaryDirectory(prefix="ibex-benchmark-") as directory:
        # IBEX started as root runs its Postgres as another user, who must be able to come by.
        Path(directory).chmod(0o755)
        place = Place(free_port(), "http://127.0.0.1:9/v1", Path(directory) / "ibex")
        with running(_with(gateway, environment), place, machine.cores().gateway):
            credentials = json.loads((place.directory / "data" / "credentials.json").read_text())
            url = f"http://127.0.0.1:{place.port}"
            client = MemoryClient(url, credentials["token"], credentials["agent_id"])
            try:
                yield client
            finally:
                client.close()


def _with(gateway: Gateway, environment: Any) -> Gateway:
    return replace(gateway, environment=environment)


def _asked(
    client: MemoryClient, user: str, question: str, evidence: frozenset[str], category: int
) -> Answered:
    began = perf_counter()
    answer = client.search(user, question, DEPTHS[-1])
    seconds = perf_counter() - began
    found = [result["memory"]["metadata"]["turn"] for result in answer["results"]]
    recall = [len(evidence.intersection(found[:depth])) / len(evidence) for depth in DEPTHS]
    return Answered(category, recall, seconds, answer["degraded"] is not None)


def memory_of(turn: Turn) -> dict[str, Any]:
    return {
        "content": turn.text,
        "session_id": turn.session,
        "observed_at": turn.at.isoformat(),
        "metadata": {"speaker": turn.speaker, "turn": turn.id},
    }


def _user(run: str, dialogue: Dialogue) -> str:
    """One that is new in each run, so that nothing of an earlier one is found."""
    return f"locomo-{run}-{dialogue.name}"


def _recall(answered: Sequence[Answered], place: int) -> float:
    return 100 * mean(each.recall[place] for each in answered) if answered else float("nan")


def _cells(values: Iterator[str]) -> str:
    return " | ".join(values) + " |"


if __name__ == "__main__":
    main()
