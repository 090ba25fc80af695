"""Feedback that nobody gives."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from ibex.auth import Actor
from ibex.memory import Inference, InferredFeedback, Memory
from ibex.memory.lifecycle.reading import MemoryReader
from ibex.memory.repository.partitions import PartitionKey
from tests.memory.writing.desk import Desk
from tests.operator import Operator

_AT = datetime(2030, 1, 31, 12, tzinfo=UTC)


@dataclass
class Bench:
    """A desk, what infers, and whom it has told of changes."""

    desk: Desk
    inferred: InferredFeedback
    changed: list[PartitionKey]

    @property
    def actor(self) -> Actor:
        return Actor.local(self.desk.scope.org_id, "capture")

    async def remembered(self, text: str) -> UUID:
        return (await self.desk.write(text)).memory.id

    async def memory(self, memory_id: UUID) -> Memory:
        return await MemoryReader(self.desk.operator.postgres).get(self.actor, memory_id)


@pytest_asyncio.fixture
async def bench(operator: Operator) -> AsyncIterator[Bench]:
    changed: list[PartitionKey] = []

    async def on_changed(key: PartitionKey) -> None:
        changed.append(key)

    yield Bench(await Desk.of(operator), InferredFeedback(operator.postgres, on_changed), changed)


def use(memory_id: UUID, inference_id: UUID | None = None) -> Inference:
    return Inference(inference_id or uuid4(), memory_id, "helpful", 0.1, "answer", used_at=_AT)


async def test_a_use_is_counted_and_helps_a_little(bench: Bench) -> None:
    one, other = await bench.remembered("I live in Lisbon."), await bench.remembered("I work at night.")
    await bench.inferred.note(bench.actor, [use(one)])

    used, unused = await bench.memory(one), await bench.memory(other)
    assert (used.uses, used.last_used_at, used.unhelpful) == (1, _AT, 1.0)
    assert used.helpful == pytest.approx(1.1)
    assert (unused.uses, unused.last_used_at, unused.helpful) == (0, None, 1.0)
    assert bench.changed == [PartitionKey(bench.desk.scope.org_id, bench.desk.scope.agent_id, "ada")]


async def test_the_same_inference_counts_once(bench: Bench) -> None:
    one = await bench.remembered("I live in Lisbon.")
    same = use(one)
    for _ in range(3):
        await bench.inferred.note(bench.actor, [same])

    assert (await bench.memory(one)).uses == 1
    assert len(bench.changed) == 1


async def test_several_about_one_memory_add_up(bench: Bench) -> None:
    one = await bench.remembered("I live in Lisbon.")
    rejected = Inference(uuid4(), one, "unhelpful", 0.25, "correction")
    await bench.inferred.note(bench.actor, [use(one), use(one), rejected])

    memory = await bench.memory(one)
    assert memory.uses == 2
    assert memory.helpful == pytest.approx(1.2)
    assert memory.unhelpful == pytest.approx(1.25)


async def test_a_search_hears_of_it(bench: Bench) -> None:
    """By the revision, from which a process knows what to read anew."""
    one = await bench.remembered("I live in Lisbon.")
    [before] = await bench.desk.rows("memory_partitions")
    await bench.inferred.note(bench.actor, [use(one)])
    [after] = await bench.desk.rows("memory_partitions")
    [memory] = await bench.desk.rows("memories")
    assert after["revision"] == before["revision"] + 1 == memory["revision"]


async def test_what_is_not_there_is_left_out(bench: Bench) -> None:
    await bench.inferred.note(bench.actor, [use(uuid4())])
    assert bench.changed == []


async def test_another_organization_moves_nothing(bench: Bench, operator: Operator) -> None:
    one = await bench.remembered("I live in Lisbon.")
    stranger = Actor.local(await operator.organization("globex"), "capture")
    await bench.inferred.note(stranger, [use(one)])
    assert (await bench.memory(one)).uses == 0
