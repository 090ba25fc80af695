"""The cache of look-ups, against the plainest thing that could do the same; and what it does with time."""

import asyncio
from collections.abc import Callable, Coroutine, Set
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.auth import Change
from ibex.auth.changes.change import Kind
from ibex.auth.lookups import Finding, LookupCache
from ibex.errors import ErrorCode, IbexError
from ibex.storage import DatabaseUnavailableError
from tests.auth.validators import Clock

TOUCHING: frozenset[Kind] = frozenset({"token", "agent"})
ONE, OTHER = UUID(int=1), UUID(int=2)
IDS = st.integers(1, 4).map(lambda number: UUID(int=number))
FINDINGS = st.builds(Finding, st.integers(), st.frozensets(IDS), st.none() | st.just(9.0))
CHANGES = st.builds(Change, st.sampled_from(["token", "agent", "credentials", "limits"]), IDS)
STEPS = st.lists(st.tuples(st.sampled_from("abcdef"), FINDINGS) | CHANGES, max_size=40)


def finding(
    answer: int, life: float | None = 30.0, subjects: Set[UUID] = frozenset({ONE})
) -> Callable[[], Coroutine[Any, Any, Finding[int]]]:
    async def find() -> Finding[int]:
        return Finding(answer, subjects, life)

    return find


def failing(error: Exception) -> Callable[[], Coroutine[Any, Any, Finding[int]]]:
    async def find() -> Finding[int]:
        raise error

    return find


class Process:
    """A cache, with a clock and a feed that a test holds."""

    def __init__(self, capacity: int = 10, within: float = 5.0) -> None:
        self.clock = Clock()
        self.hears = True
        self.cache = LookupCache[str, int](
            "a number",
            TOUCHING,
            timeout=within,
            unavailable=lambda: IbexError(ErrorCode.AUTH_UNAVAILABLE, "later"),
            feed_is_live=lambda: self.hears,
            capacity=capacity,
            clock=self.clock,
        )

    async def remember(self, answer: int, life: float | None = 30.0) -> None:
        await self.cache.look_up("key", finding(answer, life))

    @property
    def remembered(self) -> int | None:
        return self.cache.get("key")


@pytest.fixture
def process() -> Process:
    return Process()


@given(STEPS, st.integers(1, 5))
def test_it_keeps_the_newest_of_what_no_change_has_touched(
    steps: list[tuple[str, Finding[int]] | Change], capacity: int
) -> None:
    asyncio.run(compare(Process(capacity).cache, steps, capacity))


async def compare(
    cache: LookupCache[str, int], steps: list[tuple[str, Finding[int]] | Change], capacity: int
) -> None:
    model: dict[str, Finding[int]] = {}
    for step in steps:
        if isinstance(step, Change):
            cache.forget(step)
            touches = step.kind in TOUCHING
            model = {k: found for k, found in model.items() if not (touches and step.id in found.subjects)}
        else:
            key, found = step
            assert await cache.look_up(key, finding(found.answer, found.life, found.subjects)) == found.answer
            model.pop(key, None)
            if found.life is not None:
                model = dict([*model.items(), (key, found)][-capacity:])
        assert {key: cache.get(key) for key in model} == {key: found.answer for key, found in model.items()}
        assert set(cache._entries) == model.keys()
        # What is found by whom it is about is exactly what is there, or memory would grow.
        assert set(cache._keys) == {subject for found in model.values() for subject in found.subjects}
        assert all(keys <= model.keys() and keys for keys in cache._keys.values())
    cache.forget(None)
    assert (len(cache), cache._keys, cache._running) == (0, {}, {})


async def test_what_was_found_is_used_for_its_life_and_no_longer(process: Process) -> None:
    await process.remember(7)
    process.clock.now += 29.9
    assert process.remembered == 7
    process.clock.now += 0.1
    assert process.remembered is None


async def test_a_life_is_counted_from_the_question(process: Process) -> None:
    async def dawdle() -> Finding[int]:
        process.clock.now += 20.0
        return Finding(7, {ONE}, 30.0)

    await process.cache.look_up("key", dawdle)
    process.clock.now += 9.9
    assert process.remembered == 7
    process.clock.now += 0.2
    assert process.remembered is None


async def test_what_has_no_life_is_not_remembered_and_ends_what_was(process: Process) -> None:
    await process.remember(7)
    await process.remember(8, None)
    assert process.remembered is None
    assert "key" not in process.cache


async def test_what_is_no_longer_fresh_is_still_known_to_have_been_there(process: Process) -> None:
    await process.remember(7, 0.0)
    assert process.remembered is None
    assert "key" in process.cache
    process.cache.forget(Change("agent", ONE))
    assert "key" not in process.cache


async def test_while_no_change_can_be_heard_of_it_is_trusted_for_half_a_second(process: Process) -> None:
    await process.remember(7)
    process.hears = False
    process.clock.now += 0.49
    assert process.remembered == 7
    process.clock.now += 0.02
    assert process.remembered is None


async def test_who_asks_together_asks_once_and_whoever_leaves_ends_it_for_nobody(process: Process) -> None:
    asked: list[None] = []
    may_answer = asyncio.Event()

    async def find() -> Finding[int]:
        asked.append(None)
        await may_answer.wait()
        return Finding(7, {ONE}, 30.0)

    asking = [asyncio.create_task(process.cache.look_up("key", find)) for _ in range(20)]
    await asyncio.sleep(0)
    asking.pop(0).cancel()
    may_answer.set()
    assert set(await asyncio.gather(*asking)) == {7}
    assert len(asked) == 1


@pytest.mark.parametrize("change", [Change("token", ONE), Change("agent", OTHER), None])
async def test_an_answer_that_a_change_has_overtaken_is_neither_remembered_nor_waited_for(
    process: Process, change: Change | None
) -> None:
    """Whom the answer will be about is not known yet, so any change of a kind that matters will do."""
    has_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def dawdle() -> Finding[int]:
        has_asked.set()
        await may_answer.wait()
        return Finding(7, {ONE}, 30.0)

    early = asyncio.create_task(process.cache.look_up("key", dawdle))
    await has_asked.wait()
    process.cache.forget(change)
    assert await process.cache.look_up("key", finding(8)) == 8
    may_answer.set()
    assert await early == 7
    assert process.remembered == 8


async def test_a_change_of_another_kind_overtakes_nothing(process: Process) -> None:
    async def find() -> Finding[int]:
        process.cache.forget(Change("credentials", ONE))
        return Finding(7, {ONE}, 30.0)

    await process.cache.look_up("key", find)
    assert process.remembered == 7


@pytest.mark.parametrize("error", [DatabaseUnavailableError("away"), psycopg.ProgrammingError("no")])
async def test_a_look_up_that_fails_is_told_as_unavailable(process: Process, error: Exception) -> None:
    await process.remember(7)
    with pytest.raises(IbexError) as caught:
        await process.cache.look_up("key", failing(error))
    assert caught.value.code is ErrorCode.AUTH_UNAVAILABLE
    assert await process.cache.look_up("key", finding(8)) == 8


async def test_what_the_database_refuses_is_logged(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(IbexError):
        await process.cache.look_up("key", failing(psycopg.ProgrammingError("no")))
    assert "a number cannot be looked up: ProgrammingError: no" in caplog.text


async def test_a_refusal_is_told_as_it_is(process: Process) -> None:
    refused = IbexError(ErrorCode.INVALID_TOKEN, "no")
    with pytest.raises(IbexError) as caught:
        await process.cache.look_up("key", failing(refused))
    assert caught.value is refused


async def test_a_look_up_that_is_late_is_given_up_and_its_answer_is_still_used() -> None:
    process = Process(within=0.01)
    may_answer = asyncio.Event()

    async def dawdle() -> Finding[int]:
        await may_answer.wait()
        return Finding(7, {ONE}, 30.0)

    for _ in range(2):
        with pytest.raises(IbexError) as caught:
            await process.cache.look_up("key", dawdle)
        assert caught.value.code is ErrorCode.AUTH_UNAVAILABLE
    running = process.cache._running["key"]
    may_answer.set()
    assert await running.result() == 7
    assert process.remembered == 7
