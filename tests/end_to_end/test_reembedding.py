"""From one embedding model to another and back, as an operator goes about it."""

import asyncio
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psycopg
import pytest

from tests.embedded.running import wait_for
from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import Instance, environment, run_ibex
from tests.end_to_end.test_memory import ask
from tests.providers.exchange import Exchange
from tests.providers.stub import StubProvider
from tests.providers.threaded import ThreadedStub

_DIMENSIONS = 96
_TICKETS = 120
_TEA = "Ada drinks green tea every morning."
# It shares no word with what it is to find.
_QUESTION = "Which beverage does she like?"


class EmbeddingService:
    """Embeds by counting words. `most` are the texts after which it says nothing more."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.most: float = float("inf")

    async def __call__(self, exchange: Exchange) -> None:
        texts: list[str] = exchange.request.json()["input"]
        if len(self.texts) + len(texts) > self.most:
            await asyncio.Event().wait()
        self.texts += texts
        data = [{"index": place, "embedding": _counts(text)} for place, text in enumerate(texts)]
        await exchange.respond(orjson.dumps({"data": data}))


@pytest.fixture
def stub() -> Iterator[ThreadedStub]:
    with StubProvider.run_in_thread() as running:
        yield running


@pytest.fixture
def service(stub: ThreadedStub) -> EmbeddingService:
    behaviour = EmbeddingService()
    stub.on_path("/embeddings", behaviour)
    return behaviour


@pytest.fixture
def local(model_files: Path) -> dict[str, str]:
    """The settings of the model that runs here."""
    return {"IBEX_EMBEDDER_KIND": "local", "IBEX_MODEL_PATH": str(model_files)}


@pytest.fixture
def remote(stub: ThreadedStub) -> dict[str, str]:
    """The settings of the service."""
    return {
        "IBEX_EMBEDDER_KIND": "remote",
        "IBEX_EMBEDDER_URL": stub.base_url,
        "IBEX_EMBEDDER_MODEL": "counting",
        "IBEX_EMBEDDER_DIMENSIONS": str(_DIMENSIONS),
    }


def reembed(instance: Instance, extra: Mapping[str, str], *options: str) -> str:
    """What the command prints; it must succeed."""
    done = run_ibex(
        "--data-dir",
        str(instance.data_dir),
        "memory",
        "reembed",
        *options,
        folder=instance.folder,
        extra=extra,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def search(instance: Instance, query: str) -> list[dict[str, Any]]:
    body = {"agent_id": "default", "query": query, "limit": 3, "explain": True}
    answer = ask(instance, "/memories/search", body)
    assert "degraded" not in answer or answer["degraded"] is None
    results: list[dict[str, Any]] = answer["results"]
    return results


def vectors(instance: Instance) -> dict[int, int]:
    """How many there are, by their dimensions."""
    addresses = orjson.loads((instance.data_dir / "runtime.json").read_bytes())
    with psycopg.connect(addresses["migration_dsn"]) as connection:
        connection.execute(
            "SELECT set_config('app.current_org_id', %s, false)", (instance.credentials["org_id"],)
        )
        return dict(
            connection.execute(
                """
                SELECT vector_dims(embedding::vector), count(*)::integer
                FROM ibex.memory_embeddings GROUP BY 1
                """
            ).fetchall()
        )


def test_the_model_is_changed_and_changed_back(
    launch: Launch, local: dict[str, str], remote: dict[str, str], service: EmbeddingService
) -> None:
    instance = launch("--jobs", "0", extra=local).wait_ready()
    texts = [_TEA, *(f"Ticket {number} is about part {number * 7}." for number in range(_TICKETS - 1))]
    for start in range(0, _TICKETS, 100):
        some = [{"content": text} for text in texts[start : start + 100]]
        ask(instance, "/memories/bulk", {"agent_id": "default", "memories": some})
    assert search(instance, _QUESTION)[0]["memory"]["content"] == _TEA

    # It is killed in the middle, while the model before serves.
    service.most = 70
    command = [sys.executable, "-m", "ibex", "--data-dir", str(instance.data_dir), "memory", "reembed"]
    with subprocess.Popen(
        command, cwd=instance.folder, env=environment(remote), stderr=subprocess.PIPE
    ) as dying:
        wait_for(lambda: vectors(instance).get(_DIMENSIONS) == 64, seconds=60)
        assert search(instance, _QUESTION)[0]["memory"]["content"] == _TEA
        dying.kill()

    # It goes on where it was.
    service.most = float("inf")
    told = reembed(instance, remote)
    assert f"Embedded {_TICKETS - 64} memories." in told
    assert "Every memory has a vector of counting." in told
    assert len(service.texts) == _TICKETS
    assert vectors(instance) == {384: _TICKETS, _DIMENSIONS: _TICKETS}
    ask(instance, "/memories", {"agent_id": "default", "content": "Grace plays the cello."})
    assert instance.stop() == 0

    # The restart is the switch; what was written in between gets its vector by itself.
    instance = launch("--jobs", "0", data_dir=instance.data_dir, extra=remote).wait_ready()
    (first, *_) = search(instance, "green tea")
    assert (first["memory"]["content"], first["explain"]["semantic"] > 0) == (_TEA, True)
    wait_for(lambda: search(instance, "cello")[0]["explain"]["semantic"] is not None, seconds=60)
    assert vectors(instance) == {384: _TICKETS + 1, _DIMENSIONS: _TICKETS + 1}
    assert instance.stop() == 0

    # And back, for good, while nothing runs.
    told = reembed(instance, local, "--drop-old")
    assert "Embedded 0 memories." in told
    assert f"Deleted {_TICKETS + 1} old vectors." in told
    instance = launch("--jobs", "0", data_dir=instance.data_dir, extra=local).wait_ready()
    assert search(instance, _QUESTION)[0]["memory"]["content"] == _TEA
    assert vectors(instance) == {384: _TICKETS + 1}


def _counts(text: str) -> list[float]:
    counts = np.zeros(_DIMENSIONS)
    counts[0] = 0.01
    for word in re.findall(r"\w+", text.lower()):
        counts[int(hashlib.md5(word.encode()).hexdigest(), 16) % _DIMENSIONS] += 1
    return [float(count) for count in counts]
