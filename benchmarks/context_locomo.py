"""How much of the evidence of LoCoMo's questions stands in what a model would be told."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from uuid import uuid4

from benchmarks.locomo import ibex_with, memory_of
from benchmarks.locomo_data import CATEGORIES, read
from benchmarks.rest_memory import MemoryClient

BUDGETS = (250, 500, 1_000, 2_000)
# Every question is to be searched, however busy the machine is: this is about what is told, not how fast.
_DEADLINE_MS = "1000"
_MODEL = "gpt-4o-mini"


@dataclass(frozen=True, slots=True)
class Previewed:
    """One question with one budget: the share of its evidence that is told, and what that took."""

    category: int
    told: float
    tokens: int
    memories: int
    rung: str


def measured(data: Path, model: Path, say: Callable[[str], None]) -> Mapping[int, Sequence[Previewed]]:
    """By budget."""
    settings = {
        "IBEX_EMBEDDER_KIND": "local",
        "IBEX_MODEL_PATH": str(model.resolve()),
        "IBEX_CONTEXT_DEADLINE_MS": _DEADLINE_MS,
    }
    previewed: dict[int, list[Previewed]] = {budget: [] for budget in BUDGETS}
    with ibex_with(settings) as client:
        for dialogue in read(data, captions=False):
            say(f"conversation {dialogue.name}")
            user = f"locomo-{uuid4().hex[:8]}-{dialogue.name}"
            results = client.write(user, [memory_of(turn) for turn in dialogue.turns])
            turns = {
                result["memory"]["id"]: turn.id
                for result, turn in zip(results, dialogue.turns, strict=True)
                if result["status"] == 201
            }
            for question in dialogue.questions:
                for budget in BUDGETS:
                    previewed[budget].append(
                        _previewed(
                            client, user, turns, question.text, question.evidence, question.category, budget
                        )
                    )
    return previewed


def table(found: Mapping[int, Sequence[Previewed]]) -> str:
    """Markdown: a column for each budget."""
    lines = [
        "| tokens of memories | " + " | ".join(f"{budget:,}" for budget in found) + " |",
        "|---" * (len(found) + 1) + "|",
        _row("evidence told, all questions, % (≥ 75 at 1,000)", [_told(each) for each in found.values()]),
        _row("questions with all of their evidence told, %", [_whole(each) for each in found.values()]),
        _row("questions with some of it told, %", [_some(each) for each in found.values()]),
    ]
    for category, name in CATEGORIES.items():
        groups = [[each for each in asked if each.category == category] for asked in found.values()]
        lines.append(_row(f"evidence told, {name} ({len(groups[0])}), %", [_told(each) for each in groups]))
    lines.append(_row("memories told", [mean(each.memories for each in asked) for asked in found.values()]))
    lines.append(_row("their tokens", [mean(each.tokens for each in asked) for asked in found.values()]))
    rungs = Counter(each.rung for asked in found.values() for each in asked)
    lines.append(f"\nRungs: {', '.join(f'{rung} {count}' for rung, count in rungs.items())}.")
    return "\n".join(lines)


def _previewed(
    client: MemoryClient,
    user: str,
    turns: Mapping[str, str],
    question: str,
    evidence: frozenset[str],
    category: int,
    budget: int,
) -> Previewed:
    receipt = client.preview(user, question, _MODEL, budget)["receipt"]
    told = {turns[each["memory_id"]] for each in receipt["memories"] if each["included"]}
    return Previewed(
        category=category,
        told=len(evidence & told) / len(evidence),
        tokens=receipt["tokens"]["memories"],
        memories=len(told),
        rung=receipt["rung"],
    )


def _told(asked: Sequence[Previewed]) -> float:
    return 100 * mean(each.told for each in asked) if asked else float("nan")


def _whole(asked: Sequence[Previewed]) -> float:
    return 100 * mean(each.told == 1 for each in asked)


def _some(asked: Sequence[Previewed]) -> float:
    return 100 * mean(each.told > 0 for each in asked)


def _row(name: str, values: Sequence[float]) -> str:
    return f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + " |"
