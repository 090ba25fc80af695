"""A write that is broken off anywhere leaves nothing, or everything."""

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest

from ibex.errors import IbexError
from tests.memory.writing.desk import BagOfWords, Desk
from tests.operator import Operator

# A write waits some ten to twenty times; to cancel at a wait that never comes does no harm.
_WRITES = 26
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


class CancelledAt:
    """Runs a coroutine, and cancels the task that it runs in when it waits for the n-th time."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], at: int) -> None:
        self._coroutine = coroutine
        self._at = at

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self._coroutine.__await__()
        resume, value = inner.send, None
        for wait in count(1):
            try:
                future = resume(value)
            except StopIteration as finished:
                return finished.value
            if wait == self._at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                resume, value = inner.send, (yield future)
            except BaseException as error:  # noqa: BLE001
                resume, value = inner.throw, error


async def _is_cancelled(coroutine: Coroutine[Any, Any, Any], at: int) -> bool:
    async def run() -> None:
        await CancelledAt(coroutine, at)

    task = asyncio.create_task(run())
    await asyncio.wait([task])
    return task.cancelled()


# Of psycopg's pipeline, whose end is cleaned up after the connection is gone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_write_that_is_cancelled_anywhere_is_there_as_a_whole_or_not_at_all(
    operator: Operator,
) -> None:
    desk = await Desk.of(operator, BagOfWords())

    async def write(number: int) -> None:
        await desk.write(
            f"I live in Town{chr(97 + number)}.",
            observed_at=_FIRST + timedelta(days=number),
        )

    cancelled = 0
    for number in range(_WRITES):
        cancelled += await _is_cancelled(write(number), at=number + 1)
        assert len(await desk.memories()) in (number, number + 1)
        with suppress(IbexError):
            await write(number)

    assert cancelled > 5
    assert await desk.rows("memory_conflicts") == []
    chain = sorted((await desk.memories()).values(), key=lambda row: row["observed_at"])
    assert len(chain) == _WRITES
    assert [row["status"] for row in chain] == ["superseded"] * (_WRITES - 1) + ["active"]
    assert [row["valid_until"] for row in chain[:-1]] == [row["observed_at"] for row in chain[1:]]
    relations = {(row["memory_id"], row["other_id"]) for row in await desk.rows("memory_relations")}
    assert relations == {(later["id"], earlier["id"]) for earlier, later in pairwise(chain)}
    assert len(await desk.rows("memory_versions")) == 2 * _WRITES - 1
    for table in ("memory_embeddings", "memory_claims"):
        assert {row["memory_id"] for row in await desk.rows(table)} == {row["id"] for row in chain}
    created = [row for row in await desk.rows("audit_events") if row["action"] == "memory.create"]
    assert {row["target"] for row in created} == {str(row["id"]) for row in chain}
    (partition,) = await desk.rows("memory_partitions")
    assert (partition["revision"], partition["live"]) == (2 * _WRITES - 1, 1)
