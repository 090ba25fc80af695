"""What happens behind the answers: how many traces a process takes, what each costs, and when it is seen.

Run `python -m benchmarks.workers`; it starts the bundled Postgres and Valkey in a temporary directory, and
takes half a minute on two cores. Each table says how it was taken.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from psycopg.rows import scalar_row
from uvloop import new_event_loop

from benchmarks.extraction import extracted
from ibex.embedded import PostgresServer, ValkeyServer
from ibex.ids import uuid7
from ibex.storage import Postgres, connect_single
from ibex.storage.migrations import migrate
from ibex.tasks import BackgroundTask
from ibex.traces import Trace, TraceLog, TraceShipping, TraceStream
from ibex.traces.store import PostgresTraces
from tests.faults.waiting import until
from tests.operator import Operator
from tests.traces.calls import trace

_BATCH = 50


async def accepted(url: str, template: Trace, number: int) -> tuple[float, float]:
    """Traces per second, until the last is in the stream, and microseconds of CPU for each."""
    redis = connect_single(url, timeout=5.0)
    stream = TraceStream(redis, longest=10 * number)
    lost: list[int] = []
    log = TraceLog(stream, capacity=number, dropped=lost.append)
    traces = [replace(template, id=uuid7()) for _ in range(number)]
    log.start()
    began, cpu = time.perf_counter(), time.process_time()
    for at in range(0, number, _BATCH):
        for one in traces[at : at + _BATCH]:
            log.add(one)
        await asyncio.sleep(0)
    await log.close(within=60.0)
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    assert not lost
    await redis.aclose()
    return number / seconds, used / number * 1e6


async def drained(stream: TraceStream) -> float:
    """Seconds until nothing waits any more."""

    async def stream_is_empty() -> bool:
        return (await stream.backlog()).traces == 0

    began = time.perf_counter()
    await until(stream_is_empty, seconds=120)
    return time.perf_counter() - began


async def visible(
    stream: TraceStream, postgres: Postgres, template: Trace, per_second: int, seconds: int
) -> Sequence[float]:
    """Seconds from a call to its trace in the store, for each of a steady load."""
    log = TraceLog(stream, capacity=100_000, dropped=lambda n: None)
    log.start()
    added: dict[object, float] = {}
    seen: dict[object, float] = {}
    began = time.perf_counter()

    async def look() -> None:
        since = template.at
        while len(seen) < per_second * seconds:
            found = await postgres.fetch_all(
                template.org_id,
                "SELECT id FROM ibex.traces WHERE session_id = 'visible' AND at >= %s",
                (since,),
                row=scalar_row,
            )
            now = time.perf_counter()
            for each in found:
                seen.setdefault(each, now)
            await asyncio.sleep(0.02)

    looking = asyncio.create_task(look())
    for number in range(per_second * seconds):
        one = replace(template, id=uuid7(), session_id="visible")
        log.add(one)
        added[one.id] = time.perf_counter()
        await asyncio.sleep(max(0.0, began + (number + 1) / per_second - time.perf_counter()))
    await asyncio.wait_for(looking, 60)
    await log.close(within=5.0)
    return [seen[each] - at for each, at in added.items()]


async def traces(postgres: PostgresServer, valkey: ValkeyServer, number: int, per_second: int) -> None:
    async with AsyncExitStack() as running:
        operator = await running.enter_async_context(Operator(postgres.service_dsn, valkey.url))
        org_id = await operator.organization()
        agent = await operator.agent(org_id, "helper")
        template = trace(org_id, agent.id)
        rate, cost = await accepted(valkey.url, template, number)
        redis = connect_single(valkey.url, timeout=5.0)
        running.push_async_callback(redis.aclose)
        stream = TraceStream(redis, longest=10 * number)
        pool = Postgres(postgres.service_dsn, connections=2)
        await pool.open()
        running.push_async_callback(pool.close)
        stop = asyncio.Event()
        shipping = TraceShipping(stream, pool, PostgresTraces(pool), refused=lambda n: None)
        task = BackgroundTask("shipping", lambda: shipping.run(stop))
        task.start()
        stored = number / await drained(stream)
        delays = await visible(stream, operator.postgres, template, per_second, 5)
        stop.set()
        await task.stop(within=5.0)
    cuts = quantiles(delays, n=100)
    print(f"""
Traces. One process puts {number:,} into the stream of the bundled Valkey and does nothing else; then one job
process stores them in the bundled PostgreSQL, on the same two cores. CPU is that of packing and sending; what
makes a trace of a call is measured with the calls (`benchmarks.proxy`). Visible: from the call to the row in
the store, looked for every 20 ms, at {per_second} calls/s for 5 s.

| what | |
|---|---|
| accepted by one web process | {rate:,.0f} traces/s |
| CPU of the web process for each | {cost:.1f} µs |
| stored by one job process | {stored:,.0f} traces/s |
| visible, p50 | {cuts[49]:.2f} s |
| visible, p95 | {cuts[94]:.2f} s |
""")


async def turns(postgres: PostgresServer, valkey: ValkeyServer, number: int, model: Path | None) -> None:
    """Without the model, and with it if there is one."""
    runs = {"words alone": await extracted(postgres, valkey, number, None)}
    if model is not None:
        runs["with the local model"] = await extracted(postgres, valkey, number // 2, model)
    print("""
Turns remembered word for word. They wait in the queue of the bundled Valkey, of 10 agents with 5 end users
each; one job process stores what was said in them in the bundled PostgreSQL, on the same two cores.

| | turns | turns/s | memories | CPU of the job process for each turn |
|---|---|---|---|---|""")
    for name, run in runs.items():
        print(
            f"| {name} | {run.turns:,} | {run.per_second:,.0f} | {run.memories:,} | {run.cpu:.1f} ms |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=50_000)
    parser.add_argument("--per-second", type=int, default=200)
    parser.add_argument("--turns", type=int, default=2_000)
    parser.add_argument("--model", type=Path, metavar="DIR", help="the embedding model's files")
    chosen = parser.parse_args()
    with TemporaryDirectory() as directory:
        # The servers run as another account when this one is root.
        Path(directory).chmod(0o755)
        postgres = PostgresServer(Path(directory) / "postgres", report=print)
        valkey = ValkeyServer(Path(directory) / "valkey", report=print)
        try:
            postgres.launch()
            valkey.launch()
            postgres.wait_ready()
            valkey.wait_ready()
            migrate(postgres.owner_dsn)
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(traces(postgres, valkey, chosen.traces, chosen.per_second))
                runner.run(turns(postgres, valkey, chosen.turns, chosen.model))
        finally:
            valkey.stop()
            postgres.stop()


if __name__ == "__main__":
    main()
