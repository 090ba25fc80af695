"""A revoked token is refused by every process, asked one by one."""

import http.client
import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from uuid import UUID

import pytest
import redis

from ibex.auth import CHAT, Actor, Administration, Grant, IssuedToken, TokenRequest
from tests.embedded.running import wait_for
from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import Instance

WORKERS = 4


@contextmanager
def connected_to(instance: Instance, worker: int) -> Iterator[http.client.HTTPConnection]:
    """A connection that this process holds: nobody else is awake to accept it."""
    others = [pid for pid in instance.workers() if pid != worker]
    with closing(http.client.HTTPConnection("127.0.0.1", instance.port, timeout=20)) as connection:
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            connection.request("GET", "/health")
            response = connection.getresponse()
            response.read()
            assert response.status == 200
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)
        yield connection


def status(connection: http.client.HTTPConnection, token: str) -> int:
    """What becomes of a call that needs a token."""
    assert connection.sock is not None, "it is another connection then, and maybe another process"
    connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    response.read()
    return response.status


def issue(instance: Instance) -> IssuedToken:
    async def work(administration: Administration, org_id: UUID) -> IssuedToken:
        agent = await administration.agents.find_by_slug(org_id, "default")
        request = TokenRequest("short-lived", Grant(CHAT), default_agent_id=agent.id)
        return await administration.tokens.create(Actor.local(org_id, "test"), request)

    return instance.administer(work)


def revoke(instance: Instance, token_id: UUID) -> None:
    async def work(administration: Administration, org_id: UUID) -> None:
        await administration.tokens.revoke(Actor.local(org_id, "test"), token_id)

    instance.administer(work)


def hear_nothing(instance: Instance) -> None:
    """End every subscription, so that the announcement that follows finds nobody."""
    addresses = json.loads((instance.data_dir / "runtime.json").read_text("utf-8"))
    with closing(redis.Redis.from_url(addresses["redis_url"])) as client:
        assert client.client_kill_filter(_type="pubsub") == WORKERS


@pytest.mark.parametrize("is_cut_off", [False, True], ids=["by message", "cut off"])
def test_each_of_four_processes_refuses_it(data_dir: Path, launch: Launch, is_cut_off: bool) -> None:
    instance = launch("--workers", str(WORKERS), "--jobs", "0", data_dir=data_dir).wait_ready()
    workers = instance.workers()
    assert len(workers) == WORKERS
    issued, other = issue(instance), issue(instance)
    with ExitStack() as connections:
        held = [connections.enter_context(connected_to(instance, worker)) for worker in workers]
        for connection in held:
            assert status(connection, issued.text) == 200
            assert status(connection, other.text) == 200
        if is_cut_off:
            hear_nothing(instance)
        revoke(instance, issued.record.id)
        wait_for(lambda: all(status(c, issued.text) == 401 for c in held), seconds=1.0)
        for connection in held:
            assert status(connection, issued.text) == 401
            assert status(connection, other.text) == 200
