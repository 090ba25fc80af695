"""Memories as statements: what they say, and of what."""

from hashlib import blake2b

from ibex.memory.memory import Memory
from ibex.memory.repository.statements import StandingStatement
from ibex.memory.time import Interval
from ibex.memory.writing.conflict import Statement
from ibex.memory.writing.conflict.reading import reading_of


def statement_of(standing: StandingStatement) -> Statement:
    """A memory as it is compared."""
    return Statement(
        text=standing.content,
        observed_at=standing.observed_at,
        validity=Interval(standing.valid_from, standing.valid_until),
        kind=standing.kind,
        # Without a name, who says "I" is known by the role: an assistant that lives nowhere is not the user.
        speaker=standing.speaker or standing.role,
    )


def standing(memory: Memory) -> StandingStatement:
    """A new memory as one that is there."""
    return StandingStatement(
        rival_to=memory.id,
        id=memory.id,
        content=memory.content,
        kind=memory.kind,
        status=memory.status,
        session_id=memory.session_id,
        role=memory.provenance.role,
        speaker=memory.provenance.speaker,
        observed_at=memory.observed_at,
        valid_from=memory.valid_from,
        valid_until=memory.valid_until,
        pinned=memory.pinned,
        helpful=memory.helpful,
        unhelpful=memory.unhelpful,
        uses=memory.uses,
        last_used_at=memory.last_used_at,
        superseded_by=None,
        cosine=None,
    )


def is_turn(standing: StandingStatement) -> bool:
    """Whether it is what was said in a conversation, word for word."""
    return standing.kind == "episodic" and standing.session_id is not None


def claims_of(statement: Statement) -> tuple[bytes, ...]:
    """Digests of what a statement claims something about; only equal ones can contradict each other."""
    about = {(claim.subject, claim.attribute) for claim in reading_of(statement).claims}
    return tuple(sorted(_digest(subject, attribute) for subject, attribute in about))


def _digest(subject: str, attribute: str) -> bytes:
    return blake2b(f"{len(subject)}:{subject}{attribute}".encode(), digest_size=16).digest()
