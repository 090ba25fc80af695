"""The figures of identity and limits, in one run.

    python -m benchmarks.auth

IBEX runs as a user starts it, with four web processes and gRPC. Validation is measured in a process of its
own kind, against the same database; everything else from outside.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks import existence, grpc_validation, limits, machine, revocation, validation
from benchmarks.gateways import Gateway, Place, free_port, running
from benchmarks.ibex_gateway import ibex

Numbers = dict[str, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: what it is, its value in the unit that `shown` has, and what was asked of it."""

    name: str
    value: float
    asked: str
    unit: str = "ms"


def main() -> None:
    parser = ArgumentParser(description="Validation, revocation, gRPC and limits.")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every number there")
    options = parser.parse_args()
    taken_on = machine.describe()
    with tempfile.TemporaryDirectory(prefix="ibex-benchmark-") as directory:
        # IBEX started as root runs its Postgres as another user, who must be able to come by.
        Path(directory).chmod(0o755)
        numbers = measure(Path(directory))
    print(table(lines(numbers)))
    print(
        f"\n{taken_on.taken_at}, {taken_on.cpu}, {taken_on.cores} cores, {taken_on.system}, Python "
        f"{taken_on.python}; load average before {taken_on.load_average[0]:.2f}."
    )
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": asdict(taken_on), **numbers}, indent=2) + "\n")


def measure(directory: Path) -> dict[str, Numbers]:
    """Each part's numbers; times in milliseconds."""
    place = Place(free_port(), "http://127.0.0.1:9/v1", directory / "ibex")
    data_dir = place.directory / "data"
    with running(_with_workers(ibex(), revocation.PROCESSES), place, machine.cores().gateway):
        _say("validation")
        validated = asyncio.run(validation.measure(data_dir))
        _say("revocation")
        revoked = revocation.measure(place.port, data_dir)
        _say("existence")
        told_apart = existence.measure(place.port, data_dir, _of_another_tenant(place))
    _say("limits")
    limited = limits.run()
    _say("gRPC")
    rpc = directory / "grpc"
    rpc.mkdir(mode=0o755)
    rounds, _ = grpc_validation.measure(rpc, Namespace(rate=1_000.0, seconds=10.0, rounds=3, connections=4))
    return {
        "validation": validated,
        "revocation": revoked,
        "existence": told_apart,
        "limits": asdict(limited),
        "grpc": {
            "p50": median(each.p50 for each in rounds),
            "p99": median(each.p99 for each in rounds),
            "errors": sum(each.errors for each in rounds),
        },
    }


def lines(numbers: Mapping[str, Numbers]) -> list[Line]:
    """What is asked of, and what was got."""
    validated, revoked, limited = numbers["validation"], numbers["revocation"], numbers["limits"]
    called, told = numbers["grpc"], numbers["existence"]
    return [
        Line("token in the cache, p99", validated["hit.p99"], "< 0.1"),
        Line("token looked up, p95", validated["miss.p95"], "< 5"),
        Line("made-up tokens refused without a look-up", validated["strangers.per_second"], "", "/s"),
        Line("revocation, announced, p99 of four processes", revoked["announced.p99"], "< 1000"),
        Line("revocation, from the log, p99 of four processes", revoked["from_the_log.p99"], "< 1000"),
        Line("gRPC ValidateToken at 1,000 calls/s, p50", called["p50"], ""),
        Line("gRPC ValidateToken at 1,000 calls/s, p99", called["p99"], "< 5"),
        Line("limit check, 64 clients, p95", limited["p95"], "< 2"),
        Line("requests let in beyond the limit, 64 clients", limited["admitted"] - limited["limit"], "0", ""),
        *(Line(f"GET {name}, median", value, "") for name, value in told.items()),
    ]


def table(figures: Sequence[Line]) -> str:
    rows = [
        f"| {line.name} | {line.asked} | {line.value:.4g}{f' {line.unit}' if line.unit else ''} |"
        for line in figures
    ]
    return "\n".join(["| figure | asked | got |", "|---|---|---|", *rows])


def _with_workers(gateway: Gateway, workers: int) -> Gateway:
    def command(place: Place) -> Sequence[str]:
        return [*gateway.command(place), "--workers", str(workers)]

    return replace(gateway, command=command)


def _of_another_tenant(place: Place) -> dict[str, str]:
    """An agent and a token of a second organization, by the path where such are found."""

    def cli(*arguments: str) -> str:
        command = [sys.executable, "-m", "ibex", *arguments, "--data-dir", str(place.directory / "data")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    cli("org", "create", "Other", "--slug", "other")
    agent = json.loads(cli("agent", "create", "Theirs", "--org", "other", "--json"))
    cli("token", "create", "Theirs", "--org", "other")
    token = json.loads(cli("token", "list", "--org", "other", "--json"))[0]
    return {"/v1/agents": agent["id"], "/v1/tokens": token["id"]}


def _say(part: str) -> None:
    print(f"{part} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
