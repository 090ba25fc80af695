"""Feedback that nobody gives: inferred from what an agent was told, and from what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.memory.lifecycle.changing import OnChanged, partition_of
from ibex.memory.lifecycle.posterior import Posterior, Signal
from ibex.memory.memory import Memory
from ibex.memory.repository import changes, feedback, partitions
from ibex.memory.repository.feedback import Moved, NewFeedback
from ibex.storage import Postgres


@dataclass(frozen=True, slots=True)
class Inference:
    """What was inferred about a memory.

    Parameters
    ----------
    id: the same for the same inference, so that it counts once however often it is told.
    weight: above 0 and at most 1.
    source: what it was inferred from, 63 characters at most.
    used_at: when the memory was used; None when this is not about a use of it.
    """

    id: UUID
    memory_id: UUID
    signal: Signal
    weight: float
    source: str
    used_at: datetime | None = None


class InferredFeedback:
    """Moves the usefulness of memories less, and less far, than somebody's own word does; counts their uses.

    Parameters
    ----------
    on_changed: as of `Changing`.
    """

    def __init__(self, postgres: Postgres, on_changed: OnChanged) -> None:
        self._postgres = postgres
        self._on_changed = on_changed

    async def note(self, actor: Actor, inferences: Sequence[Inference]) -> None:
        """Store what is not stored yet, in one transaction for each partition.

        What is about memories that are not there, or may not be told any more, is left out.
        """
        places = await feedback.partitions_of(
            self._postgres, actor.org_id, [each.memory_id for each in inferences]
        )
        for partition_id in sorted(set(places.values())):
            there = [each for each in inferences if places.get(each.memory_id) == partition_id]
            await self._note(actor, partition_id, there)

    async def _note(self, actor: Actor, partition_id: int, inferences: Sequence[Inference]) -> None:
        async with self._postgres.transaction(actor.org_id) as connection:
            partition = await partitions.lock_by_id(connection, partition_id)
            memories = {
                each.id: each
                for each in await changes.current_ones(connection, [i.memory_id for i in inferences])
            }
            rows = [
                NewFeedback(each.id, each.memory_id, each.signal, each.weight, each.source)
                for each in inferences
                if each.memory_id in memories
            ]
            new = await feedback.insert_new(connection, actor.org_id, actor.name, rows)
            if partition is None or not new:
                return
            told = [each for each in inferences if each.id in new]
            about = dict.fromkeys(each.memory_id for each in told)
            moved = [
                _moved(memories[memory_id], revision, [each for each in told if each.memory_id == memory_id])
                for memory_id, revision in zip(about, count(partition.revision + 1))
            ]
            async with connection.pipeline():
                await feedback.move(connection, moved)
                await partitions.advance(connection, partition_id, len(moved), 0)
        await self._on_changed(partition_of(actor.org_id, memories[moved[0].memory_id]))


def _moved(memory: Memory, revision: int, inferences: Sequence[Inference]) -> Moved:
    posterior = Posterior(memory.helpful, memory.unhelpful)
    for each in inferences:
        posterior = posterior.inferred(each.signal, each.weight)
    used = [each.used_at for each in inferences if each.used_at is not None]
    return Moved(
        memory.id,
        revision,
        posterior.helpful,
        posterior.unhelpful,
        uses=len(used),
        used_at=max(used, default=None),
    )
