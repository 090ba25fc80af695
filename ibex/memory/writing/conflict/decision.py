"""The table of decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from ibex.memory.time import Interval
from ibex.memory.writing.conflict.comparison import Relation, compare
from ibex.memory.writing.conflict.facts import negated, same_facts
from ibex.memory.writing.conflict.reading import NOTHING, Reading, reading_of
from ibex.memory.writing.conflict.statement import Near, Statement

# Chosen in the design for all-MiniLM-L6-v2; above it two texts nearly always mean the same.
NEAR_DUPLICATE = 0.92
# "I moved to Denver last year" may be news to whoever heard of Boston; "in 2015" was so before.
_OLD_NEWS = timedelta(days=366)


class Verdict(StrEnum):
    """What a new statement is to one that is there.

    `precedes`: the one that is there replaced it already; the new one, which arrived late, is its past.
    `undecided`: they may contradict each other; an open conflict.
    """

    DUPLICATE = "duplicate"
    SUPERSEDES = "supersedes"
    PRECEDES = "precedes"
    INDEPENDENT = "independent"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one statement that is there.

    `ends_at`: when the earlier of the two stops to hold, for `supersedes` and `precedes`.
    """

    id: UUID
    verdict: Verdict
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdicts, in the order given, and when the new statement holds."""

    decisions: tuple[Decision, ...]
    holds: Interval


def decide(new: Statement, near: Sequence[Near]) -> Outcome:
    """What a new statement does to those of its scope that resemble it.

    `near` holds those that are live and those that were superseded, so that the order in which statements
    arrive does not change when each of them holds. The caller ends what `supersedes` names.
    """
    reading = reading_of(new)
    decisions = tuple(_decide(new, reading, each) for each in near)
    ends = [each.ends_at for each in decisions if each.verdict is Verdict.PRECEDES and each.ends_at]
    holds = new.holds
    if ends and (holds.end is None or min(ends) < holds.end):
        holds = Interval(holds.start, min(ends))
    return Outcome(decisions, holds)


def _decide(new: Statement, reading: Reading, near: Near) -> Decision:
    old = near.statement
    if not new.holds.overlaps(old.holds):
        return Decision(near.id, Verdict.INDEPENDENT)
    old_reading = reading_of(old) if reading.claims else NOTHING
    if new.observed_at >= old.observed_at:
        relation = _relation(new, reading, old, old_reading)
        verdict, boundary = Verdict.SUPERSEDES, _boundary(old, new)
    else:
        relation = _relation(old, old_reading, new, reading)
        verdict, boundary = Verdict.PRECEDES, _boundary(new, old)
    if relation is Relation.REPLACES and boundary:
        return Decision(near.id, verdict, boundary)
    if relation is not Relation.UNRELATED:
        return Decision(near.id, Verdict.UNDECIDED)
    return Decision(near.id, _likeness(new, near))


def _relation(later: Statement, reading: Reading, earlier: Statement, earlier_reading: Reading) -> Relation:
    """What the later statement does to the earlier as a whole: it ends one replaced in every part."""
    relations = [[compare(claim, other) for claim in reading.claims] for other in earlier_reading.claims]
    if not any(each is not Relation.UNRELATED for row in relations for each in row):
        return Relation.UNRELATED
    replaced = all(Relation.REPLACES in row for row in relations)
    # What was said stays what was said, whatever is said later.
    is_record = earlier.kind == "episodic"
    is_history = _is_history(reading, earlier, earlier_reading)
    decided = replaced and earlier_reading.complete and reading.asserted and not is_record and not is_history
    return Relation.REPLACES if decided else Relation.UNCERTAIN


def _is_history(reading: Reading, earlier: Statement, earlier_reading: Reading) -> bool:
    """Whether a change had come about before what was told earlier, or so long before that it is old news."""
    told = [claim.changed_by for claim in earlier_reading.claims if claim.changed_by]
    since = max(told, default=earlier.observed_at - _OLD_NEWS)
    return any(claim.changed_by is not None and claim.changed_by < since for claim in reading.claims)


def _boundary(earlier: Statement, later: Statement) -> datetime | None:
    """Where the earlier ends; None when nothing would be left of it."""
    start, end = earlier.holds.start, later.holds.start
    return end if end is not None and (start is None or start < end) else None


def _likeness(new: Statement, near: Near) -> Verdict:
    if near.cosine is None or near.cosine <= NEAR_DUPLICATE:
        return Verdict.INDEPENDENT
    old = near.statement
    same_speaker = new.speaker == old.speaker
    if same_speaker and same_facts(new.text, new.observed_at, old.text, old.observed_at):
        return Verdict.DUPLICATE
    # Facts that differ by a "not" are about one thing; turns of a talk may be about two.
    denies = negated(new.text) != negated(old.text) and "episodic" not in (new.kind, old.kind)
    return Verdict.UNDECIDED if denies else Verdict.INDEPENDENT
