"""`AuthService/ValidateToken` of a real IBEX at a fixed rate of calls.

    python -m benchmarks.grpc_validation --rate 1000 --seconds 10

IBEX runs on one core with its Postgres and Valkey; the caller runs on the other, in a process of its own.
Calls are due at fixed times and are sent whether earlier ones have been answered or not. A call's time is
from when it was sent to when its answer was there; how late the caller was in sending is shown beside it.
"""

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import grpc
import uvloop

from benchmarks import machine
from benchmarks.gateways import Gateway, Place, free_port, running
from benchmarks.ibex_gateway import ibex
from benchmarks.load import percentile
from ibex.auth.v1 import auth_pb2, auth_pb2_grpc

WARM_UP = 2.0  # Seconds of calls that are not counted.
GRACE = 5.0  # Seconds that the last calls may take.


@dataclass(frozen=True, slots=True)
class Load:
    """What the caller is to do: ask whom, about which token, how often, how long, on how many connections."""

    port: int
    service_token: str = field(repr=False)
    access_token: str = field(repr=False)
    rate: float
    seconds: float
    connections: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it; times in milliseconds."""

    calls: int
    errors: int
    per_second: float
    p50: float
    p95: float
    p99: float
    p999: float
    longest: float
    late_p99: float
    error_sample: str | None = None


@dataclass(slots=True)
class Tally:
    """What every call writes to."""

    times: list[float] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> None:
    """The command line; with ``--load`` this is the caller's process."""
    parser = argparse.ArgumentParser(description="ValidateToken over gRPC, at a fixed rate.")
    parser.add_argument("--rate", type=float, default=1_000.0, help="calls per second (default 1000)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each round (default 10)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--connections", type=int, default=4, help="connections of the caller (default 4)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every number there")
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        load = Load(**json.load(sys.stdin))
        uvloop.run(send(replace(load, seconds=WARM_UP)))
        print(json.dumps(asdict(uvloop.run(send(load)))))
        return
    taken_on = machine.describe()
    with tempfile.TemporaryDirectory(prefix="ibex-benchmark-") as directory:
        # IBEX started as root runs its Postgres as another user, who must be able to come by.
        Path(directory).chmod(0o755)
        rounds, cpu = measure(Path(directory), options)
    print(table(rounds, cpu, options.rate))
    print(f"\n{provenance(taken_on, options)}")
    if options.json is not None:
        document = {"machine": asdict(taken_on), "rounds": [asdict(each) for each in rounds], "cpu": cpu}
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def measure(directory: Path, options: argparse.Namespace) -> tuple[list[Result], list[float]]:
    """The rounds, and what each call of them cost IBEX in microseconds of CPU."""
    cores = machine.cores()
    place = Place(free_port(), "http://127.0.0.1:9/v1", directory / "ibex")
    rpc_port = free_port()
    rounds, cpu = [], []
    with running(with_rpc(ibex(), rpc_port), place, cores.gateway) as gate:
        access_token = gate.headers["authorization"].removeprefix("Bearer ")
        load = Load(
            rpc_port,
            create_service_token(place),
            access_token,
            options.rate,
            options.seconds,
            options.connections,
        )
        for _ in range(options.rounds):
            before, _companions = gate.cpu()
            result = call_from(cores.load, load)
            after, _companions = gate.cpu()
            rounds.append(result)
            cpu.append((after - before) / (result.calls + WARM_UP * options.rate) * 1e6)
    return rounds, cpu


def with_rpc(gateway: Gateway, port: int) -> Gateway:
    """The same gateway, serving gRPC as well."""

    def environment(place: Place) -> Mapping[str, str]:
        return {**gateway.environment(place), "IBEX_GRPC_PORT": str(port)}

    return replace(gateway, environment=environment)


def create_service_token(place: Place) -> str:
    """A token that may ask, made as an operator makes one."""
    command = [sys.executable, "-m", "ibex", "token", "create", "benchmark"]
    options = ["--permission", "platform:validate", "--data-dir", str(place.directory / "data")]
    made = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    return made.stdout.strip()


def call_from(core: int, load: Load) -> Result:
    """Run the caller on a core of its own."""
    with machine.pinned(core):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.grpc_validation", "--load"],
            input=json.dumps(asdict(load)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    return Result(**json.loads(done.stdout))


async def send(load: Load) -> Result:
    """Send calls at their times, and sum up what came back."""
    channels = [
        grpc.aio.insecure_channel(
            f"127.0.0.1:{load.port}", options=[("grpc.use_local_subchannel_pool", 1), ("number", number)]
        )
        for number in range(load.connections)
    ]
    stubs = [auth_pb2_grpc.AuthServiceStub(channel) for channel in channels]  # type: ignore[no-untyped-call]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    request = auth_pb2.ValidateTokenRequest(access_token=load.access_token, client_address="192.0.2.1")
    metadata = (("authorization", f"Bearer {load.service_token}"),)
    tally = Tally()

    async def call(stub: Any, due: float) -> None:
        began = perf_counter()
        tally.lateness.append(began - due)
        try:
            answer = await stub.ValidateToken(request, metadata=metadata, timeout=GRACE)
            if not answer.org_id:
                raise ValueError("an answer without an organization")
        except (grpc.aio.AioRpcError, ValueError) as error:
            tally.errors.append(str(error))
        else:
            tally.times.append(perf_counter() - began)

    # A collection of garbage by the caller would be charged to the calls that are on their way.
    gc.collect()
    gc.disable()
    started = perf_counter()
    calls = set()
    for number in range(int(load.rate * load.seconds)):
        due = started + number / load.rate
        wait = due - perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        sent = asyncio.create_task(call(stubs[number % len(stubs)], due))
        calls.add(sent)
        sent.add_done_callback(calls.discard)
    await asyncio.gather(*calls)
    elapsed = perf_counter() - started
    gc.enable()
    for channel in channels:
        await channel.close()
    return Result(
        calls=len(tally.times),
        errors=len(tally.errors),
        per_second=round(len(tally.times) / elapsed, 1),
        p50=percentile(tally.times, 0.50),
        p95=percentile(tally.times, 0.95),
        p99=percentile(tally.times, 0.99),
        p999=percentile(tally.times, 0.999),
        longest=percentile(tally.times, 1.0),
        late_p99=percentile(tally.lateness, 0.99),
        error_sample=tally.errors[0] if tally.errors else None,
    )


def table(rounds: Sequence[Result], cpu: Sequence[float], rate: float) -> str:
    """A line for each round."""
    lines = [
        f"ValidateToken at {rate:.0f} calls/s",
        "",
        "| round | calls/s | p50 ms | p95 ms | p99 ms | p99.9 ms | most ms | errors | CPU µs | late p99 ms |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for number, (each, cost) in enumerate(zip(rounds, cpu, strict=True), 1):
        lines.append(
            f"| {number} | {each.per_second:.0f} | {each.p50:.2f} | {each.p95:.2f} | {each.p99:.2f} | "
            f"{each.p999:.2f} | {each.longest:.2f} | {each.errors} | {cost:.0f} | {each.late_p99:.2f} |"
        )
    samples = {each.error_sample for each in rounds if each.error_sample}
    return "\n".join([*lines, *samples])


def provenance(taken_on: machine.Machine, options: argparse.Namespace) -> str:
    """How it was taken."""
    return (
        f"{taken_on.taken_at}, {taken_on.cpu}, {taken_on.cores} cores, {taken_on.system}, Python "
        f"{taken_on.python}, uvloop {taken_on.uvloop}, grpcio {grpc.__version__}; load average before "
        f"{taken_on.load_average[0]:.2f}. {options.rounds} rounds of {options.seconds:.0f} s over "
        f"{options.connections} connections, each after {WARM_UP:.0f} s that do not count. One web process. "
        "Every call checks two tokens, the caller's and the one asked about, both in its cache. CPU is of "
        "IBEX's own processes for one call; late is how long after its time a call was sent."
    )


if __name__ == "__main__":
    main()
