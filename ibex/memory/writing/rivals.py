"""What of a locked partition drafts may repeat, replace or contradict."""

from collections.abc import Sequence
from datetime import UTC, datetime

from ibex.memory.repository import statements
from ibex.memory.repository.partitions import LockedPartition
from ibex.memory.repository.statements import NEIGHBOURS, StandingStatement, Wanted
from ibex.memory.writing.conflict.decision import NEAR_DUPLICATE
from ibex.memory.writing.draft import Draft
from ibex.memory.writing.statements import standing, statement_of
from ibex.storage import Connection

# Before all that a date can be.
_BEGINNING = datetime.min.replace(tzinfo=UTC)


async def rivals(
    connection: Connection,
    partition: LockedPartition,
    model: int | None,
    drafts: Sequence[Draft],
    most: int = NEIGHBOURS,
) -> list[StandingStatement]:
    """Those with a claim about the same thing, and those whose vector of the model is near.

    `most`: of the former, as many before each draft, and as many after it.
    """
    wanted = [_wanted(each) for each in drafts]
    found: list[StandingStatement] = []
    claiming = [each for each in wanted if each.claims]
    if claiming:
        found += await statements.claiming(connection, partition.id, claiming, most)
    embedded = [each for each in wanted if each.vector is not None]
    if embedded and model is not None:
        found += await statements.resembling(connection, partition.id, model, NEAR_DUPLICATE, embedded)
    return found


def _wanted(draft: Draft) -> Wanted:
    return Wanted(
        id=draft.memory.id,
        visibility=draft.memory.visibility,
        session_id=draft.memory.session_id,
        since=statement_of(standing(draft.memory)).holds.start or _BEGINNING,
        claims=draft.claims,
        # A turn is kept however often it is repeated.
        vector=None if draft.is_turn else draft.vector,
    )
