"""IBEX against the LiteLLM proxy and against no gateway at all, in one run.

    python -m benchmarks.proxy --rounds 3 --seconds 5 --json figures.json

The stub provider and the load generator share one core, the gateway with all its processes has the other.
Only one gateway runs at a time; each round measures the stub directly, then each gateway, freshly started.
"""

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine, report
from benchmarks.gateways import Gateway, Place, free_port, running
from benchmarks.ibex_gateway import ibex
from benchmarks.litellm_gateway import litellm
from benchmarks.load import Target
from benchmarks.measurements import Meter, Numbers, add_overhead
from benchmarks.usage import Bench

STUB = Path(__file__).parent / "stub_provider.py"
DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    rounds: int
    seconds: float
    skip_litellm: bool
    skip_ibex: bool
    json: Path | None


def main() -> None:
    """The command line."""
    options = parse()
    # SIGTERM ends like Ctrl-C, which unwinds out of an event loop too, so that no gateway is orphaned. A
    # shell starts background jobs with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    gateways: list[Gateway] = []
    if not options.skip_ibex:
        gateways.append(ibex())
    if not options.skip_litellm:
        gateways.append(litellm())
    taken_on = machine.describe()
    with tempfile.TemporaryDirectory(prefix="ibex-benchmark-") as directory:
        # IBEX started as root runs its Postgres as another user, who must be able to come by.
        Path(directory).chmod(0o755)
        rounds = compare(gateways, options, Path(directory))
    versions = {gateway.name: gateway.version for gateway in gateways}
    print(report.table(rounds))
    print()
    print(report.provenance(taken_on, versions, options.rounds, options.seconds))
    if options.json is not None:
        document = {
            "machine": asdict(taken_on),
            "versions": versions,
            "seconds": options.seconds,
            "summary": {name: report.summary(numbers) for name, numbers in rounds.items()},
            "rounds": rounds,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def compare(gateways: Sequence[Gateway], options: Options, directory: Path) -> dict[str, list[Numbers]]:
    """All rounds of all targets, the stub itself among them."""
    cores = machine.cores()
    if cores.are_shared:
        say("one core only: the load generator takes time away from the gateway")
    rounds: dict[str, list[Numbers]] = {name: [] for name in (DIRECT, *(each.name for each in gateways))}
    with machine.pinned(cores.load), stub() as (upstream, stub_pid):
        bench = Bench(cores.load, stub_pid)
        cold = {
            gateway.name: first_start(gateway, Place(free_port(), upstream, directory / gateway.name), cores)
            for gateway in gateways
        }
        for number in range(1, options.rounds + 1):
            heading = f"round {number} of {options.rounds}, "
            target = Target(f"{upstream}/chat/completions")
            direct = Meter(target, options.seconds, bench, None, prefixed(heading + DIRECT)).round()
            rounds[DIRECT].append(direct)
            for gateway in gateways:
                place = Place(free_port(), upstream, directory / gateway.name)
                with running(gateway, place, cores.gateway) as gate:
                    target = Target(gate.url, gate.headers)
                    meter = Meter(target, options.seconds, bench, gate, prefixed(heading + gateway.name))
                    numbers = add_overhead(meter.round(), direct)
                rounds[gateway.name].append(numbers | {"start.cold": cold[gateway.name]})
    return rounds


def first_start(gateway: Gateway, place: Place, cores: machine.Cores) -> float:
    """Seconds until a gateway that never ran here answers; its directory is warm afterwards."""
    with running(gateway, place, cores.gateway) as gate:
        say(f"{gateway.name} {gateway.version}: first start {gate.start_seconds:.1f} s")
        return gate.start_seconds


@contextmanager
def stub() -> Iterator[tuple[str, int]]:
    """The stub provider's base URL and pid while it runs, on the core of whoever starts it."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(STUB), "--port", str(port)])
    try:
        wait_until_it_listens(port)
        yield f"http://127.0.0.1:{port}/v1", process.pid
    finally:
        process.terminate()
        process.wait()


def wait_until_it_listens(port: int) -> None:
    """Return when a loopback port accepts connections; raises TimeoutError after ten seconds."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


def say(line: str) -> None:
    """Progress, apart from the figures."""
    print(line, file=sys.stderr, flush=True)


def prefixed(heading: str) -> Callable[[str], None]:
    """``say`` with a heading."""
    return lambda line: say(f"{heading}: {line}")


def parse() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="IBEX, the LiteLLM proxy and no gateway, in one run.")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each load (default 5)")
    parser.add_argument("--quick", action="store_true", help="one round of one second each, to try it out")
    parser.add_argument("--skip-litellm", action="store_true")
    parser.add_argument("--skip-ibex", action="store_true")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every number there")
    given = parser.parse_args()
    return Options(
        rounds=1 if given.quick else given.rounds,
        seconds=1.0 if given.quick else given.seconds,
        skip_litellm=given.skip_litellm,
        skip_ibex=given.skip_ibex,
        json=given.json,
    )


if __name__ == "__main__":
    main()
