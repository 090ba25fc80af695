"""The last calls of an agent, ten at a time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ibex.drift.observation import LABELS, NUMBERS, Observation

# Calls in a block: behaviour is looked at when one is full.
BLOCK = 10
# Blocks that are looked back on: a change is to be found within 300 calls.
WINDOW = 30


@dataclass(frozen=True, slots=True)
class Block:
    """Ten calls, added up.

    Parameters
    ----------
    start, end: of the first and the last call, in seconds since the epoch.
    counts: calls that have each of `NUMBERS`.
    sums, squares: of them.
    scores: of the same calls, standardised against the baseline, added up.
    labelled: calls that can have each of `LABELS`.
    labels: how many calls have which.
    """

    start: float
    end: float
    counts: list[int]
    sums: list[float]
    squares: list[float]
    scores: list[float]
    labelled: list[int]
    labels: list[dict[str, int]] = field(default_factory=list)

    @classmethod
    def of(cls, observations: Sequence[Observation], scores: Sequence[float]) -> "Block":
        columns = [
            [value for value in column if value is not None]
            for column in zip(*(each.numbers for each in observations), strict=True)
        ]
        labels: list[Counter[str]] = [Counter() for _ in LABELS]
        labelled = [0] * len(LABELS)
        for each in observations:
            for number, found in enumerate(each.labels):
                if found is not None:
                    labelled[number] += 1
                    labels[number].update(found)
        return cls(
            start=min(each.at for each in observations),
            end=max(each.at for each in observations),
            counts=[len(column) for column in columns],
            sums=[sum(column) for column in columns],
            squares=[sum(value * value for value in column) for column in columns],
            scores=list(scores),
            labelled=labelled,
            labels=[dict(each) for each in labels],
        )


def merged(blocks: Sequence[Block]) -> Block:
    """Several blocks as one."""

    def total(lists: Sequence[Sequence[float]]) -> list[float]:
        return [sum(column) for column in zip(*lists, strict=True)]

    labels: list[Counter[str]] = [Counter() for _ in LABELS]
    for block in blocks:
        for mine, theirs in zip(labels, block.labels, strict=True):
            mine.update(theirs)
    return Block(
        start=min(block.start for block in blocks),
        end=max(block.end for block in blocks),
        counts=[sum(block.counts[number] for block in blocks) for number in range(len(NUMBERS))],
        sums=total([block.sums for block in blocks]),
        squares=total([block.squares for block in blocks]),
        scores=total([block.scores for block in blocks]),
        labelled=[sum(block.labelled[number] for block in blocks) for number in range(len(LABELS))],
        labels=[dict(each) for each in labels],
    )
