"""Token validation in one process: what a hit costs, what a miss costs, and what strangers cost."""

import asyncio
import json
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from benchmarks.load import percentile
from ibex.auth import TokenValidator
from ibex.auth.tokens import secret
from ibex.errors import IbexError
from ibex.storage import Postgres

HITS = 20_000
MISSES = 2_000
STRANGERS = 100_000

Numbers = dict[str, float]


async def measure(data_dir: Path) -> Numbers:
    """Against the database of an IBEX that runs on `data_dir`; times in milliseconds."""
    addresses = json.loads((data_dir / "runtime.json").read_text())
    token = json.loads((data_dir / "credentials.json").read_text())["token"]
    pepper = (data_dir / "secrets" / "token-pepper").read_text("ascii").strip().encode()
    postgres = Postgres(addresses["postgres_dsn"], connections=4)
    await postgres.open()
    validator = TokenValidator(postgres, pepper, cache_seconds=30.0, timeout=1.0, feed_is_live=lambda: True)
    try:
        return {
            **await _hits(validator, token),
            **await _misses(validator, token),
            **await _strangers(validator),
        }
    finally:
        await postgres.close()


async def _hits(validator: TokenValidator, token: str) -> Numbers:
    await validator.authenticate_agent(token, None, None)
    times = []
    for _ in range(HITS):
        began = perf_counter()
        await validator.authenticate_agent(token, None, None)
        times.append(perf_counter() - began)
    return {"hit.p50": percentile(times, 0.5), "hit.p99": percentile(times, 0.99)}


async def _misses(validator: TokenValidator, token: str) -> Numbers:
    times = []
    for _ in range(MISSES):
        validator.forget(None)
        began = perf_counter()
        await validator.authenticate_agent(token, None, None)
        times.append(perf_counter() - began)
        await asyncio.sleep(0)
    return {"miss.p50": percentile(times, 0.5), "miss.p95": percentile(times, 0.95)}


async def _strangers(validator: TokenValidator) -> Numbers:
    """Well-formed tokens made with another pepper: all that somebody outside can make up."""
    texts = [secret.generate(uuid4()).text(b"another pepper") for _ in range(1_000)]
    refused = 0
    began = perf_counter()
    for number in range(STRANGERS):
        try:
            await validator.authenticate_agent(texts[number % len(texts)], None, None)
        except IbexError:
            refused += 1
    seconds = perf_counter() - began
    return {"strangers.refused": refused, "strangers.per_second": refused / seconds}
