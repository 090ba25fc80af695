"""A job process whose queue goes away and comes back."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from ibex.embedded import ValkeyServer
from ibex.serving.job_process import work_through_outages
from ibex.workers import PeriodicJob
from tests.embedded.running import ignore, running_valkey, wait_for
from tests.faults.waiting import until

_PATIENCE = 15.0


async def _until_said(caplog: pytest.LogCaptureFixture, sentence: str) -> None:
    await asyncio.to_thread(wait_for, lambda: sentence in caplog.text, seconds=_PATIENCE)


async def test_a_queue_that_is_away_is_waited_for_and_found_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, stop, ready, pings = asyncio.Event(), asyncio.Event(), list[bool](), list[bool]()
    ping = Redis.ping

    def counted(redis: Redis) -> Awaitable[bool]:
        pings.append(True)
        return ping(redis)

    monkeypatch.setattr(Redis, "ping", counted)

    async def run() -> None:
        done.set()

    with running_valkey(tmp_path) as valkey:
        job = PeriodicJob("test.run", run)
        working = asyncio.create_task(
            work_through_outages(valkey.url, [job], ready=lambda: ready.append(True), stop=stop)
        )
        await asyncio.wait_for(done.wait(), _PATIENCE)
        valkey.stop()
        await _until_said(caplog, "the job queue is away")
        asked = len(pings)
        await until(lambda: len(pings) >= asked + 3, seconds=_PATIENCE)
        assert caplog.text.count("the job queue is away") == 1

        valkey.launch()
        await asyncio.to_thread(valkey.wait_ready)
        await _until_said(caplog, "the job queue is back")
        stop.set()
        await asyncio.wait_for(working, _PATIENCE)
    assert ready == [True]
    assert "Traceback" not in caplog.text


async def test_a_stop_does_not_wait_for_the_queue(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = ValkeyServer(tmp_path / "valkey", report=ignore)
    server.launch()
    server.wait_ready()
    server.stop()
    stop = asyncio.Event()

    async def run() -> None:
        return

    job = PeriodicJob("test.run", run)
    working = asyncio.create_task(work_through_outages(server.url, [job], ready=lambda: None, stop=stop))
    await _until_said(caplog, "the job queue is away")
    stop.set()
    await asyncio.wait_for(working, 2.0)
