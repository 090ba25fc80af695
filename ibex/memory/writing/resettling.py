"""Memories that are there, settled anew: they say something else, are live again, or got their vectors."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from ibex.memory.memory import Memory
from ibex.memory.repository import conflicts, statements, writes
from ibex.memory.repository.partitions import LockedPartition, PartitionKey
from ibex.memory.repository.statements import NEIGHBOURS, StandingStatement
from ibex.memory.writing.changes import consequences_of
from ibex.memory.writing.draft import Draft
from ibex.memory.writing.events import tell_of_conflicts
from ibex.memory.writing.rivals import rivals
from ibex.memory.writing.settlement import Settlement
from ibex.memory.writing.statements import claims_of, is_turn, standing, statement_of
from ibex.storage import Connection

# What others are compared with.
_COMPARED = ("active", "superseded")
# What ends nothing contradicts more than its neighbours in a chain: all that hold after it.
_CONTRADICTED = 1_000


def redrafted(org_id: UUID, memory: Memory) -> Draft:
    """A memory that is there as a draft, without a vector."""
    agent_id = None if memory.visibility == "org" else memory.agent_id
    statement = standing(memory)
    return Draft(
        memory=memory,
        partition=PartitionKey(org_id, agent_id, memory.user_id),
        content_hash=b"",
        is_turn=is_turn(statement),
        findings=(),
        claims=claims_of(statement_of(statement)),
    )


async def resettle(
    connection: Connection,
    partition: LockedPartition,
    actor: str,
    model: int | None,
    drafts: Sequence[Draft],
    *,
    is_restated: bool = False,
    insists: bool = False,
    apart: Collection[UUID] = (),
) -> None:
    """Settle drafts of memories that are stored as if they were written now.

    One that is neither live nor superseded concerns no other. Two of which it is or was in question which of
    them holds never end each other; the question is not put again unless they are restated.
    Vectors of the model are stored.

    Parameters
    ----------
    is_restated: whether they say something else than before, or of another time; then their claims are
        stored, and questions that they no longer raise are withdrawn.
    insists: whether they stay whatever they contradict, and end nothing: then each contradiction is open.
    apart: memories whose conflicts with the drafts are somebody else's matter.
    """
    ids = [each.memory.id for each in drafts]
    raised = {
        (each.memory_id, each.other_id)
        for each in await conflicts.between(connection, ids)
        if each.status == "open" or not is_restated
    }
    compared = [each for each in drafts if each.memory.status in _COMPARED]
    most = _CONTRADICTED if insists else NEIGHBOURS
    found = await rivals(connection, partition, model, compared, most)
    settlement = Settlement(each for each in found if each.id not in apart)
    chain = await statements.successors(connection, ids)
    for draft in compared:
        new = draft.memory.id
        if new not in settlement.closed:
            disputed = {each.id for each in found} if insists else _disputed(new, raised, found)
            settlement.settle(draft, chain.get(new), disputed)
    changes = consequences_of(partition, settlement, drafts, model)
    if is_restated:
        still = {(each.memory_id, each.other_id) for each in changes.conflicts}
        for new in ids:
            gone = [other for one, other in raised - still if one == new and other not in apart]
            await conflicts.withdraw(connection, new, gone)
    changes = replace(
        changes,
        conflicts=[each for each in changes.conflicts if (each.memory_id, each.other_id) not in raised],
        claims=changes.claims if is_restated else (),
    )
    org_id = drafts[0].partition.org_id
    await writes.apply(connection, org_id, partition.id, actor, changes)
    opened = [(each.memory_id, each.other_id) for each in changes.conflicts]
    await tell_of_conflicts(connection, org_id, drafts[0].memory.agent_id, opened)


def _disputed(
    new: UUID, raised: Collection[tuple[UUID, UUID]], found: Sequence[StandingStatement]
) -> set[UUID]:
    """What a memory was found to contradict, and what that has superseded: it holds against those as well."""
    chain = {other for one, other in raised if one == new}
    while before := {each.id for each in found if each.superseded_by in chain} - chain:
        chain |= before
    return chain
