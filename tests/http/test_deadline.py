"""Waits end in time, and the two reasons for ending one are not mistaken for each other."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ibex.http import DISCONNECT, ClientGoneError, Deadlines, Disconnect
from ibex.proxy.client import ClientWatch


@pytest_asyncio.fixture
async def deadlines() -> AsyncIterator[Deadlines]:
    watched = Deadlines()
    watched.start()
    yield watched
    await watched.stop()


async def for_ever() -> None:
    await asyncio.Event().wait()


async def never_receive() -> dict[str, object]:
    await for_ever()
    return {}


def watch(disconnect: Disconnect) -> ClientWatch:
    return ClientWatch({"extensions": {DISCONNECT: disconnect}}, never_receive)


def not_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() == 0


async def test_a_wait_that_takes_too_long_ends(deadlines: Deadlines) -> None:
    deadline = deadlines.open()
    with pytest.raises(TimeoutError), deadline.within(0.05):
        await for_ever()
    assert not_cancelled()
    with deadline.within(5.0):
        await asyncio.sleep(0)
    deadlines.close(deadline)


async def test_a_deadline_that_was_moved_counts_from_then(deadlines: Deadlines) -> None:
    deadline = deadlines.open()
    loop = asyncio.get_running_loop()
    with deadline.within(0.1):
        for _ in range(4):
            moved = loop.create_future()
            loop.call_later(0.04, moved.set_result, None)
            await moved
            deadline.within(0.1)
    assert not_cancelled()


async def test_a_deadline_outside_its_block_does_nothing(deadlines: Deadlines) -> None:
    deadline = deadlines.open()
    with deadline.within(0.01):
        pass
    passed = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.15, passed.set_result, None)
    await passed
    assert not_cancelled()


async def test_a_cancellation_from_elsewhere_stays_one(deadlines: Deadlines) -> None:
    async def wait() -> None:
        with deadlines.open().within(60.0), watch(Disconnect()):
            await for_ever()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_clients_leaving_ends_a_block() -> None:
    disconnect = Disconnect()
    asyncio.get_running_loop().call_soon(disconnect.happened)
    with pytest.raises(ClientGoneError), watch(disconnect):
        await for_ever()
    assert not_cancelled()
    assert disconnect.callback is None


async def test_a_client_that_had_left_before_is_not_worked_for() -> None:
    disconnect = Disconnect()
    disconnect.happened()
    with pytest.raises(ClientGoneError), watch(disconnect):
        pytest.fail("the block was entered")


async def test_a_client_that_leaves_afterwards_cancels_nothing() -> None:
    disconnect = Disconnect()
    with watch(disconnect):
        await asyncio.sleep(0)
    disconnect.happened()
    await asyncio.sleep(0)
    assert not_cancelled()


async def test_another_server_is_asked_whether_the_client_left() -> None:
    messages: asyncio.Queue[dict[str, object]] = asyncio.Queue()
    messages.put_nowait({"type": "http.request"})
    messages.put_nowait({"type": "http.disconnect"})
    with pytest.raises(ClientGoneError), ClientWatch({}, messages.get):
        await for_ever()
    assert not_cancelled()


@pytest.mark.parametrize("leaves_first", [True, False])
async def test_when_both_happen_at_once_the_client_has_gone(deadlines: Deadlines, leaves_first: bool) -> None:
    deadline, disconnect = deadlines.open(), Disconnect()
    happenings = [disconnect.happened, deadline.expire]
    for happen in happenings if leaves_first else reversed(happenings):
        asyncio.get_running_loop().call_soon(happen)
    with pytest.raises(ClientGoneError), watch(disconnect), deadline.within(60.0):
        await for_ever()
    assert not_cancelled()
