"""What memories do to the others of their partition, and those to them: near duplicates and conflicts.

Runs under the lock of the partition, on what was found there. It decides and stores nothing.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from ibex.ids import uuid7
from ibex.memory.memory import Memory, Status
from ibex.memory.repository.rows import Conflict, Relation
from ibex.memory.repository.statements import StandingStatement
from ibex.memory.writing.conflict import Decision, Near, Verdict, decide
from ibex.memory.writing.conflict.decision import NEAR_DUPLICATE
from ibex.memory.writing.draft import Draft
from ibex.memory.writing.statements import is_turn, standing, statement_of

# Of each side of the posterior of feedback.
_PRIOR = 1.0
_UNDECIDED = "They say different things of the same time, and nothing tells which of them holds."


@dataclass(frozen=True, slots=True)
class Closed:
    """The state in which a memory ends up, and since when what it says is the past."""

    status: Status
    valid_until: datetime | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """What a memory has done: whose place it takes, and what it contradicts."""

    superseded: tuple[UUID, ...]
    conflicts: tuple[UUID, ...]


class Settlement:
    """Settles drafts, new or changed, one after the other; each sees what those before it have changed.

    A chain, statements of one thing in the order in which they hold, stays one whatever the order in which
    they arrive: one that is late is put between its neighbours.

    Parameters
    ----------
    found: the statements of the partition that may matter to the drafts, as they are stored.
    """

    def __init__(self, found: Iterable[StandingStatement]) -> None:
        self._standing: dict[UUID, StandingStatement] = {}
        self._near: dict[UUID, dict[UUID, float | None]] = {}
        for each in found:
            self._standing[each.id] = each
            near = self._near.setdefault(each.rival_to, {})
            near[each.id] = each.cosine if each.cosine is not None else near.get(each.id)
        self._stored_chain = {
            each.id: each.superseded_by for each in self._standing.values() if each.superseded_by is not None
        }
        self._chain = dict(self._stored_chain)
        self._live = {each.id for each in self._standing.values() if each.status == "active"}
        self._merges: list[Relation] = []
        self._drafts: dict[UUID, Draft] = {}
        self.closed: dict[UUID, Closed] = {}
        self.absorbed: dict[UUID, StandingStatement] = {}
        self.conflicts: list[Conflict] = []

    def settle(
        self, draft: Draft, superseded_by: UUID | None = None, disputed: Container[UUID] = ()
    ) -> Settled:
        """Decide on one more draft, which is active or superseded.

        Parameters
        ----------
        superseded_by: by whom, as it is stored.
        disputed: memories that neither end the draft nor are ended by it: somebody is to say which holds.
        """
        near = self._near_of(draft)
        new = standing(draft.memory)
        outcome = decide(
            statement_of(new),
            [Near(each, statement_of(self._standing[each]), cosine) for each, cosine in near.items()],
        )
        decisions = [_contested(each) if each.id in disputed else each for each in outcome.decisions]
        self._enter(draft, new, superseded_by)
        superseded = []
        for old, ends_at in _ends(decisions, Verdict.SUPERSEDES):
            self._supersede(new.id, old, ends_at)
            superseded.append(old)
        following = _ends(decisions, Verdict.PRECEDES)
        if following:
            successor, ends_at = min(following, key=lambda each: each[1])
            self._supersede(successor, new.id, ends_at)
        repeated = [each.id for each in decisions if each.verdict is Verdict.DUPLICATE]
        merged = [each for each in repeated if self._merge(new.id, each)]
        conflicts = [
            each.id
            for each in decisions
            if each.verdict is Verdict.UNDECIDED
            and draft.is_active
            and self._standing[each.id].status == "active"
        ]
        self.conflicts += [Conflict(uuid7(), new.id, each, _UNDECIDED) for each in conflicts]
        return Settled((*superseded, *merged), tuple(conflicts))

    def as_settled(self, memory: Memory) -> Memory:
        """A draft's memory with what has become of it; its next version if it is closed."""
        now = self._standing.get(memory.id)
        if now is None:
            return memory
        memory = replace(
            memory,
            pinned=now.pinned,
            helpful=now.helpful,
            unhelpful=now.unhelpful,
            uses=now.uses,
            last_used_at=now.last_used_at,
        )
        closed = self.closed.get(memory.id)
        if closed is None:
            return memory
        return replace(
            memory, version=memory.version + 1, status=closed.status, valid_until=closed.valid_until
        )

    @property
    def no_longer_live(self) -> int:
        """How many that were live, found ones and drafts, are so no longer."""
        return len(self._live & self.closed.keys())

    @property
    def relations(self) -> list[Relation]:
        """Those to add."""
        chain = [
            Relation(new, "supersedes", old)
            for old, new in self._chain.items()
            if self._stored_chain.get(old) != new
        ]
        return [*chain, *self._merges]

    @property
    def broken(self) -> list[Relation]:
        """Those to remove, since another memory stands between the two."""
        return [
            Relation(new, "supersedes", old)
            for old, new in self._stored_chain.items()
            if self._chain[old] != new
        ]

    def _enter(self, draft: Draft, new: StandingStatement, superseded_by: UUID | None) -> None:
        self._drafts[new.id] = draft
        self._standing[new.id] = new
        if draft.is_active:
            self._live.add(new.id)
        if superseded_by is not None:
            self._stored_chain[new.id] = self._chain[new.id] = superseded_by

    def _near_of(self, draft: Draft) -> Mapping[UUID, float | None]:
        """What was found in the partition and, of the drafts before, what is about the same or resembles."""
        near = {
            each: cosine
            for each, cosine in self._near.get(draft.memory.id, {}).items()
            if each != draft.memory.id
        }
        for each, other in self._drafts.items():
            if not _share_scope(draft.memory, other.memory):
                continue
            cosine = None
            if not (draft.is_turn or other.is_turn or draft.vector is None or other.vector is None):
                cosine = float(draft.vector @ other.vector)
            if set(draft.claims) & set(other.claims) or (cosine is not None and cosine > NEAR_DUPLICATE):
                near[each] = cosine
        return {each: cosine for each, cosine in near.items() if self._standing[each].status != "merged"}

    def _supersede(self, new: UUID, old: UUID, ends_at: datetime) -> None:
        self._chain[old] = new
        self._close(old, Closed("superseded", ends_at, ends_at))

    def _merge(self, new: UUID, old: UUID) -> bool:
        """The later of two that say the same stays, with the feedback of both; whether the old one goes."""
        one, other = self._standing[new], self._standing[old]
        if one.kind != other.kind or is_turn(one) or {one.status, other.status} != {"active"}:
            return False
        earlier, later = (one, other) if one.observed_at < other.observed_at else (other, one)
        self._merges.append(Relation(later.id, "merges", earlier.id))
        self._close(earlier.id, Closed("merged", earlier.valid_until, later.observed_at))
        stays = replace(
            later,
            pinned=one.pinned or other.pinned,
            helpful=one.helpful + other.helpful - _PRIOR,
            unhelpful=one.unhelpful + other.unhelpful - _PRIOR,
            uses=one.uses + other.uses,
            last_used_at=max(filter(None, (one.last_used_at, other.last_used_at)), default=None),
        )
        if stays != later:
            self._standing[later.id] = self.absorbed[later.id] = stays
        return earlier is other

    def _close(self, memory_id: UUID, closed: Closed) -> None:
        self.closed[memory_id] = closed
        self._standing[memory_id] = replace(
            self._standing[memory_id], status=closed.status, valid_until=closed.valid_until
        )


def _ends(decisions: Iterable[Decision], verdict: Verdict) -> list[tuple[UUID, datetime]]:
    return [(each.id, each.ends_at) for each in decisions if each.verdict is verdict and each.ends_at]


def _contested(decision: Decision) -> Decision:
    if decision.verdict in (Verdict.SUPERSEDES, Verdict.PRECEDES):
        return Decision(decision.id, Verdict.UNDECIDED)
    return Decision(decision.id, Verdict.INDEPENDENT) if decision.verdict is Verdict.DUPLICATE else decision


def _share_scope(one: Memory, other: Memory) -> bool:
    return one.visibility == other.visibility and (
        one.visibility != "session" or one.session_id == other.session_id
    )
