"""Assembly under load: an IBEX as a user starts it, called at a fixed rate."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp
import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks import machine
from benchmarks.gateways import Place, Running, free_port, running
from benchmarks.ibex_gateway import ibex
from benchmarks.load import percentile
from benchmarks.memory import AGENTS
from benchmarks.memory_corpus import Corpus
from benchmarks.memory_table import ORGANIZATION
from benchmarks.memory_table import table as memory_table
from benchmarks.proxy import stub
from ibex.embedded import PostgresServer

RATE = 50.0
# Agents whose scopes are asked; each has 2,000 memories.
_AGENTS = 10
_QUESTIONS = 40
_WARM_UP = 10.0
_FLUSH = 1.0


@dataclass(frozen=True, slots=True)
class Assemblies:
    """Milliseconds of every call: its assembly, the parts of that, and the whole overhead of IBEX."""

    assembly: Sequence[float]
    parts: Mapping[str, Sequence[float]]
    overhead: Sequence[float]
    rungs: Mapping[str, int]
    degraded: int
    told: float
    errors: int


def measured(directory: Path, model: Path, seconds: float, say: Callable[[str], None]) -> Assemblies:
    cores = machine.cores()
    os.sched_setaffinity(0, {cores.load})
    server = PostgresServer(directory / "postgres", report=say)
    server.launch()
    try:
        server.wait_ready()
        corpus = Corpus()
        memories = memory_table(server, f"memory_{sum(AGENTS)}", AGENTS, corpus, say)
        database = make_conninfo(server.superuser_dsn, dbname=f"memory_{sum(AGENTS)}")
        with stub() as (upstream, _):
            gateway = ibex()

            def environment(place: Place) -> Mapping[str, str]:
                return {
                    **gateway.environment(place),
                    # What is learned from the answers is another process's work, on whatever core.
                    "IBEX_JOBS": "0",
                    "IBEX_POSTGRES_DSN": memories.dsn,
                    "IBEX_POSTGRES_MIGRATION_DSN": make_conninfo(
                        server.owner_dsn, dbname=f"memory_{sum(AGENTS)}"
                    ),
                    "IBEX_MODEL_PATH": str(model.resolve()),
                }

            place = Place(free_port(), upstream, directory / "ibex")
            with running(replace(gateway, environment=environment), place, cores.gateway) as service:
                token = _token(place, environment(place))
                questions = [
                    (f"agent-{agent}", asked.text)
                    for agent in range(_AGENTS)
                    for asked in corpus.questions(corpus.conversation(agent, AGENTS[agent]), _QUESTIONS)
                ]
                say("warming up")
                asyncio.run(_calls(service, token, questions, _WARM_UP))
                _forget(database)
                say(f"{RATE:.0f} requests a second for {seconds:.0f} s")
                overhead, errors = asyncio.run(_calls(service, token, questions, seconds))
                return _read(database, overhead, errors)
    finally:
        server.stop()


def table(found: Assemblies) -> str:
    def row(name: str, asked: str, values: Sequence[float]) -> str:
        shares = " / ".join(f"{_percentile(values, share):.1f}" for share in (0.5, 0.95, 0.99))
        return f"| {name}, p50 / p95 / p99, ms | {asked} | {shares} |"

    return "\n".join(
        [
            f"| {len(found.assembly):,} calls at {RATE:.0f}/s on one core | asked | got |",
            "|---|---|---|",
            row("assembly", "< 8 / < 15 / < 40", found.assembly),
            *(row(f"of it {name}", "", values) for name, values in found.parts.items()),
            row("overhead of the call in all", "< 8 / / < 20", found.overhead),
            f"| memories told, on average | | {found.told:.1f} |",
            f"| rungs | | {', '.join(f'{name} {count}' for name, count in found.rungs.items())} |",
            f"| found by words alone, as the vector was late | | {found.degraded} |",
            f"| errors | 0 | {found.errors} |",
        ]
    )


async def _calls(
    service: Running, token: str, questions: Sequence[tuple[str, str]], seconds: float
) -> tuple[list[float], int]:
    """Call at a fixed rate, whatever becomes of the calls before. Each is of another end user, so that none
    is told what another has just said.
    """
    overhead: list[float] = []
    errors = 0
    began = perf_counter()

    async def call(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal errors
        agent, question = questions[number % len(questions)]
        headers = {
            "Authorization": f"Bearer {token}",
            "X-IBEX-Agent-ID": agent,
            "X-IBEX-User-ID": f"user-{began}-{number}",
        }
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}]}
        async with session.post(service.url, json=body, headers=headers) as answer:
            await answer.read()
            if answer.status == 200:
                overhead.append(float(answer.headers["X-IBEX-Overhead-Ms"]))
            else:
                errors += 1

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as calls:
        for number in range(int(seconds * RATE)):
            wait = began + number / RATE - perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            calls.create_task(call(session, number))
    await asyncio.sleep(_FLUSH)
    return overhead, errors


def _token(place: Place, environment: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "ibex", "token", "create", "load", "--org", "benchmark"]
    options = ["--data-dir", str(place.directory / "data")]
    made = subprocess.run(
        [*command, *options], env={**os.environ, **environment}, check=True, capture_output=True, text=True
    )
    return made.stdout.strip()


def _forget(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM ibex.context_receipts WHERE org_id = %s", (ORGANIZATION,))


def _read(database: str, overhead: Sequence[float], errors: int) -> Assemblies:
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT receipt FROM ibex.context_receipts WHERE org_id = %s", (ORGANIZATION,)
        ).fetchall()
    receipts: list[Mapping[str, Any]] = [row[0] for row in rows]
    parts = ("directive", "retrieval", "packing")
    return Assemblies(
        assembly=[receipt["timings"]["all"] for receipt in receipts],
        parts={name: [receipt["timings"].get(name, 0.0) for receipt in receipts] for name in parts},
        overhead=overhead,
        rungs=Counter(receipt["rung"] for receipt in receipts),
        degraded=sum(receipt["degraded"] is not None for receipt in receipts),
        told=sum(each["reason"] is None for receipt in receipts for each in receipt["considered"])
        / max(len(receipts), 1),
        errors=errors,
    )


def _percentile(milliseconds: Sequence[float], share: float) -> float:
    return percentile([value / 1e3 for value in milliseconds], share)
