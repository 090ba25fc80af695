"""The figures of memory: writes, and search over many memories.

    python -m benchmarks.memory DIRECTORY [--million] [--model DIR]

The memories are made up, their vectors too, and are loaded into a Postgres in that directory, once: 100,000
of one organization over 50 agents in a minute or two, and with `--million` a table of 1,000,000 in a quarter
of an hour and 5 GB. All but Postgres runs in this process; REST comes on top. It wants a quiet machine.
"""

import asyncio
import sys
from argparse import ArgumentParser
from pathlib import Path

from benchmarks import machine, memory_search, memory_writes
from benchmarks.memory_corpus import Corpus
from benchmarks.memory_search import Share
from benchmarks.memory_table import table
from ibex.embedded import PostgresServer
from ibex.memory.embedding.local import LocalEmbedder
from ibex.memory.searching import SearchSettings
from ibex.storage import Postgres

AGENTS = [2_000] * 50
# Half, a twentieth, a fiftieth and a thousandth of the table; the rest are many more agents.
MILLION = [500_000, 50_000, 20_000, 1_000] + [2_000] * 214 + [1_000]
SHARES = range(4)
_AMPLE = 2 << 30


def main() -> None:
    parser = ArgumentParser(description="Writes and searches of memories.")
    parser.add_argument("directory", type=Path, help="where the database is, or will be")
    parser.add_argument("--million", action="store_true", help="the table of a million, too")
    parser.add_argument("--model", type=Path, metavar="DIR", help="the embedding model's files, for writes")
    parser.add_argument("--questions", type=int, default=100, help="for each scope of the million")
    options = parser.parse_args()
    taken_on = machine.describe()
    options.directory.mkdir(parents=True, exist_ok=True)
    # IBEX started as root runs its Postgres as another user, who must be able to come by.
    options.directory.chmod(0o755)
    server = PostgresServer(options.directory / "postgres", report=_say)
    server.launch()
    try:
        server.wait_ready()
        asyncio.run(_agents(server, options.model))
        if options.million:
            asyncio.run(_million(server, options.questions))
    finally:
        server.stop()
    print(
        f"\n{taken_on.taken_at}, {taken_on.cpu}, {taken_on.cores} cores, Python {taken_on.python}; load "
        f"average before {taken_on.load_average[0]:.2f}."
    )


async def _agents(server: PostgresServer, model: Path | None) -> None:
    corpus = Corpus()
    memories = table(server, f"memory_{sum(AGENTS)}", AGENTS, corpus, _say)
    postgres = Postgres(memories.dsn)
    await postgres.open()
    try:
        print("| 100,000 memories over 50 agents | asked | got |\n|---|---|---|")
        for name, cache in (("all agents in the cache", _AMPLE), ("cache as by default", None)):
            size = SearchSettings().cache_bytes if cache is None else cache
            first, later = await memory_search.many_agents(postgres, memories, corpus, size, rounds=6)
            print(
                f"| first search of an agent, {name}, p50 / p95, ms | | {first.p50:.1f} / {first.p95:.1f} |"
            )
            print(f"| search, {name}, p50 / p95, ms | < 15 | {later.p50:.1f} / {later.p95:.1f} |")
        rate = await memory_writes.bulk(postgres, None, memories, corpus, 2_000)
        print(f"| bulk writes/s, no model | ≥ 200 | {rate:.0f} |")
        if model is not None:
            embedder = await LocalEmbedder.open(model)
            written = await memory_writes.single(postgres, embedder, memories, corpus, 300)
            print(f"| a write with the local model, p95, ms | < 50 | {written:.1f} |")
            await embedder.close()
    finally:
        await postgres.close()


async def _million(server: PostgresServer, questions: int) -> None:
    corpus = Corpus()
    memories = table(server, f"memory_{sum(MILLION)}", MILLION, corpus, _say)
    settings = SearchSettings(cache_bytes=_AMPLE)
    # To compare a question with half a million vectors one by one takes longer than a statement usually may.
    postgres = Postgres(memories.dsn, patience=120.0)
    await postgres.open()
    try:
        measured: list[Share] = []
        for number in SHARES:
            _say(f"a scope of {MILLION[number]:,}")
            measured.append(
                await memory_search.share(postgres, memories, corpus, number, questions, settings)
            )
    finally:
        await postgres.close()
    print(
        "\n| scope of a table of 1,000,000 | p50, ms | p95, ms (< 30) | recall@10 of answers "
        "| recall@10 of the closest (≥ 0.98) |\n|---|---|---|---|---|"
    )
    for each in measured:
        nearest = "exact" if each.nearest is None else f"{each.nearest:.3f}"
        print(
            f"| {each.memories:,} ({each.share:.1%}) | {each.latency.p50:.1f} | {each.latency.p95:.1f} "
            f"| {each.answers:.3f} | {nearest} |"
        )
    for each in measured:
        if each.plan:
            print(f"\nHow Postgres finds the closest of {each.memories:,}:\n")
            print("\n".join(f"    {line}" for line in each.plan))


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
