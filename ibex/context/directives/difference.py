"""What one version of a text has that another has not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import unified_diff

# Comparing takes longer the more lines are on both sides: 0.12 s for 1,000 on each that were chosen to be
# slow, 47 s for the 8,000 that fit into 32 KiB (measured).
_MOST_PAIRS = 1_000 * 1_000
_NO_LINE_BREAK = "\\ No newline at end of text\n"


@dataclass(frozen=True, slots=True)
class Difference:
    """How many lines came and went, and a unified diff (as `diff -u` prints it), empty when nothing did."""

    added: int
    removed: int
    text: str = field(repr=False)


def difference(before: str, after: str, before_name: str, after_name: str) -> Difference:
    """What changed from one text to the other, with three lines around each change.

    Texts that are too long to be compared in time differ as a whole between the lines that they begin and
    end with in common.
    """
    old, new = _lines_of(before), _lines_of(after)
    head = _in_common(old, new)
    tail = _in_common(old[head:][::-1], new[head:][::-1])
    middles = len(old) - head - tail, len(new) - head - tail
    if middles[0] * middles[1] > _MOST_PAIRS:
        lines = list(_as_a_whole(old, new, head, tail, before_name, after_name))
    else:
        lines = list(unified_diff(old, new, before_name, after_name))
    body = lines[2:]
    return Difference(
        added=sum(line.startswith("+") for line in body),
        removed=sum(line.startswith("-") for line in body),
        text="".join(line if line.endswith("\n") else f"{line}\n{_NO_LINE_BREAK}" for line in lines),
    )


def summary(before: str | None, after: str, number: int | None) -> str:
    """What changed, in a sentence; lines that only moved do not count.

    Parameters
    ----------
    number: of the version before; None when there is none.
    """
    if before is None:
        return "The first version."
    old, new = Counter(before.split("\n")), Counter(after.split("\n"))
    added, removed = (new - old).total(), (old - new).total()
    return f"{added} line{'' if added == 1 else 's'} added and {removed} removed since version {number}."


def _lines_of(text: str) -> list[str]:
    """With their ends; the last one may have none. What else Unicode calls a line break is none here."""
    *whole, rest = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([rest] if rest else [])]


def _in_common(one: list[str], other: list[str]) -> int:
    """How many lines two lists begin with alike."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _as_a_whole(
    old: list[str], new: list[str], head: int, tail: int, before_name: str, after_name: str
) -> Iterator[str]:
    """The same form, everything in the middle replaced."""
    start, context = max(head - 3, 0), min(tail, 3)
    ends = len(old) - tail, len(new) - tail
    lengths = ends[0] + context - start, ends[1] + context - start
    yield f"--- {before_name}\n"
    yield f"+++ {after_name}\n"
    yield f"@@ -{start + 1},{lengths[0]} +{start + 1},{lengths[1]} @@\n"
    yield from (f" {line}" for line in old[start:head])
    yield from (f"-{line}" for line in old[head : ends[0]])
    yield from (f"+{line}" for line in new[head : ends[1]])
    yield from (f" {line}" for line in old[ends[0] : ends[0] + context])
