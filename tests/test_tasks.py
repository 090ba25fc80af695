"""Work in the background outlives its errors, and ends when it is told to."""

import asyncio
import threading
from contextlib import suppress
from functools import partial

import pytest

from ibex.tasks import BackgroundTask, SharedTask, repeat, run_in_thread
from tests.faults.waiting import until


async def test_an_unexpected_error_is_logged_and_the_work_starts_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    starts: list[int] = []

    async def work() -> None:
        starts.append(len(starts))
        if len(starts) < 3:
            raise KeyError("unforeseen")
        await asyncio.Event().wait()

    task = BackgroundTask("the-work", work, pause=0.01)
    task.start()
    await until(lambda: len(starts) == 3)
    await task.stop()
    assert caplog.text.count("the-work failed") == 2
    assert "unforeseen" in caplog.text


async def test_what_returns_is_not_started_again() -> None:
    starts: list[None] = []

    async def work() -> None:
        starts.append(None)

    task = BackgroundTask("work", work, pause=0.0)
    task.start()
    await task.stop(within=1.0)
    assert len(starts) == 1


async def test_a_stop_waits_as_long_as_it_was_told_and_then_cancels() -> None:
    ended: list[str] = []

    async def work(seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
            ended.append("by itself")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    for seconds in (0.01, 60.0):
        task = BackgroundTask("work", partial(work, seconds))
        task.start()
        await task.stop(within=0.1)
    assert ended == ["by itself", "cancelled"]


async def test_a_stop_raises_nothing_of_what_the_work_raises_at_its_end() -> None:
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("at the end")

    task = BackgroundTask("work", work, pause=60.0)
    task.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(1.0):
        await task.stop()


async def test_a_cancellation_that_the_work_swallows_is_sent_again() -> None:
    swallowed: list[None] = []

    async def work() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.append(None)
        await asyncio.Event().wait()

    task = BackgroundTask("work", work)
    task.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(5.0):
        await task.stop()
    assert len(swallowed) == 1


async def test_a_stop_before_the_start_does_nothing() -> None:
    async def work() -> None:
        pytest.fail("it was never started")

    await BackgroundTask("work", work).stop()


async def test_a_function_is_called_again_and_again() -> None:
    calls: list[None] = []
    task = BackgroundTask("calls", lambda: repeat(lambda: calls.append(None), 0.01))
    task.start()
    await until(lambda: len(calls) >= 3)
    await task.stop()


async def test_a_function_that_blocks_is_left_behind_after_its_time() -> None:
    released, finished = threading.Event(), threading.Event()

    def block() -> None:
        released.wait()
        finished.set()

    async with asyncio.timeout(5.0):
        await run_in_thread(block, within=0.05)
    assert not finished.is_set()
    released.set()
    await run_in_thread(finished.wait, within=5.0)  # type: ignore[arg-type]
    assert finished.is_set()


async def test_all_who_wait_for_a_shared_task_get_what_it_returns() -> None:
    go = asyncio.Event()
    finished: list[SharedTask[str]] = []

    async def work() -> str:
        await go.wait()
        return "done"

    shared = SharedTask(work(), "shared", finished.append)
    waiting = [asyncio.create_task(shared.result(5.0)) for _ in range(5_000)]
    leaving = asyncio.create_task(shared.result(5.0))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(TimeoutError):
        await shared.result(0.0)
    go.set()
    assert set(await asyncio.gather(*waiting)) == {"done"}
    assert leaving.cancelled()
    assert await shared.result(0.0) == "done"
    assert finished == [shared]


async def test_who_waits_for_a_shared_task_that_fails_is_told_so() -> None:
    async def work() -> None:
        raise ValueError("no")

    shared = SharedTask(work(), "shared", lambda task: None)
    for within in (5.0, None):
        with pytest.raises(ValueError, match="no"):
            await shared.result(within)
    assert isinstance(shared.error, ValueError)


async def test_a_shared_task_is_waited_for_as_long_as_it_takes_unless_somebody_says_how_long() -> None:
    go = asyncio.Event()
    shared = SharedTask(go.wait(), "shared", lambda task: None)
    waiting = asyncio.create_task(shared.result())
    with pytest.raises(TimeoutError):
        await shared.result(0.01)
    assert not waiting.done()
    go.set()
    assert await waiting
    assert shared.error is None


async def test_a_shared_task_that_is_cancelled_has_no_error() -> None:
    finished: list[BaseException | None] = []
    shared = SharedTask(asyncio.Event().wait(), "shared", lambda task: finished.append(task.error))
    await asyncio.sleep(0)
    shared._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await shared.result()
    assert finished == [None]
