"""gRPC as `ibex serve` serves it: in several processes, through crashes, stops and starts that fail."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ibex.serving.checks import check_settings
from ibex.serving.errors import PreparationError
from ibex.settings import load
from tests.auth.rpc.calling import Caller, calling
from tests.end_to_end.instance import Instance, free_port, run_ibex
from tests.end_to_end.processes import descendants
from tests.faults.waiting import until

pytestmark = pytest.mark.xdist_group("grpc-serving")

PORT = "IBEX_GRPC_PORT"


@pytest.fixture(scope="module")
def rpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def instance(rpc_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Two web processes."""
    folder: Path = tmp_path_factory.mktemp("grpc")
    extra = {PORT: str(rpc_port), "IBEX_AUTH_TIMEOUT_SECONDS": "0.5"}
    running = Instance(folder, "--workers", "2", "--jobs", "1", extra=extra)
    try:
        yield running.wait_ready()
    finally:
        assert running.stop() == 0


def create_token(instance: Instance, *options: str) -> str:
    made = instance.ibex("token", "create", "a token", *options)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def processes_that_answered(instance: Instance) -> set[int]:
    lines = [orjson.loads(line) for line in instance.stdout.splitlines() if '"ibex.access"' in line]
    return {line["pid"] for line in lines if line["operation"] == "grpc"}


async def is_answered(caller: Caller, text: str) -> bool:
    return await caller.refusal(text) is None


async def ask_over_connections(port: int, token: str, text: str, connections: int) -> None:
    for _ in range(connections):
        async with calling(port, token) as caller:
            assert await caller.refusal(text) is None


async def test_a_token_that_the_command_line_made_may_ask_and_all_processes_answer(
    instance: Instance, rpc_port: int
) -> None:
    token = create_token(instance, "--permission", "platform:validate")

    await ask_over_connections(rpc_port, token, instance.token, 20)

    web = {int(pid) for pid in instance.workers()}
    await until(lambda: len(processes_that_answered(instance)) == 2)
    assert processes_that_answered(instance) < web


async def test_a_process_that_is_killed_is_replaced_and_callers_go_on(
    instance: Instance, rpc_port: int
) -> None:
    async with calling(rpc_port, instance.token) as caller:
        assert await is_answered(caller, instance.token)
        for pid in processes_that_answered(instance) & set(instance.workers()):
            os.kill(pid, signal.SIGKILL)

        await until(lambda: is_answered(caller, instance.token), seconds=20)
    await until(lambda: len(instance.workers()) == 3, seconds=20)


async def test_health_follows_postgres_and_nothing_unchecked_is_let_through(
    instance: Instance, rpc_port: int
) -> None:
    unknown = create_token(instance)
    postgres = instance.server("postgres")
    assert postgres is not None
    async with calling(rpc_port, instance.token) as caller:
        health = health_pb2_grpc.HealthStub(caller.channel)

        async def says(status: str) -> bool:
            asked = health_pb2.HealthCheckRequest(service="ibex.auth.v1.AuthService")
            answer = await health.Check(asked, timeout=10)
            return bool(answer.status == health_pb2.HealthCheckResponse.ServingStatus.Value(status))

        await until(lambda: says("SERVING"))
        assert await is_answered(caller, instance.token)
        frozen = descendants(postgres)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            await until(lambda: says("NOT_SERVING"))
            refused = await caller.refusal(unknown)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        assert refused is not None
        assert refused.reason == ("UNAVAILABLE", "AUTH_UNAVAILABLE", "request")
        await until(lambda: says("SERVING"), seconds=20)
        await until(lambda: is_answered(caller, unknown), seconds=20)


async def test_a_second_ibex_with_the_same_port_is_told_so(
    instance: Instance, rpc_port: int, tmp_path: Path
) -> None:
    done = run_ibex(
        "--data-dir",
        str(tmp_path / "data"),
        "serve",
        f"--port={free_port()}",
        folder=tmp_path,
        extra={PORT: str(rpc_port)},
    )

    assert done.returncode == 1
    assert f"127.0.0.1:{rpc_port} cannot be listened on for gRPC: Address already in use." in done.stderr
    assert "IBEX_GRPC_PORT" in done.stderr
    assert not (tmp_path / "data").exists()


async def test_a_stop_answers_what_was_asked_and_then_nobody_listens(tmp_path: Path) -> None:
    port = free_port()
    instance = Instance(tmp_path / "stopping", "--jobs", "0", extra={PORT: str(port)})
    try:
        instance.wait_ready()
        async with calling(port, instance.token) as caller:
            watch = health_pb2_grpc.HealthStub(caller.channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
            answers = asyncio.gather(*(caller.refusal(instance.token) for _ in range(50)))
            instance.signal(signal.SIGTERM)
            told = {answer.status if answer else "OK" for answer in await answers}
            assert told <= {"OK", "UNAVAILABLE"}
        assert await asyncio.to_thread(instance.wait) == 0
    finally:
        instance.stop()
    assert "Traceback" not in instance.stderr + instance.stdout
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_missing_packages_stop_the_start_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc_health", None)

    with pytest.raises(PreparationError, match=r"pip install 'ibex\[grpc\]'"):
        check_settings(load({}, overrides={"grpc_port": 50051}))


def test_a_certificate_that_is_not_there_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    missing = {"grpc_tls_certificate": tmp_path / "a.pem", "grpc_tls_key": tmp_path / "a.key"}

    with pytest.raises(PreparationError, match=r"a\.pem cannot be read.*IBEX_GRPC_TLS_CERTIFICATE"):
        check_settings(load({}, overrides={"grpc_port": 50051, **missing}))


def test_nothing_that_is_forked_later_has_imported_grpc() -> None:
    """It does not survive a fork."""
    code = "import sys, ibex.cli, ibex.serving.web_process; print('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
