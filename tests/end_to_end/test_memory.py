"""Memory as somebody has it who has just started IBEX, with the model and without."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import Instance
from tests.memory.embedding.hub import serving

_FACTS = (
    "Ada drinks green tea every morning.",
    "Ada's bicycle was stolen in front of the station.",
    "The quarterly report is due on the first of October.",
)
# It shares no word with what it is to find.
_QUESTION = "Which beverage does she like?"


def ask(instance: Instance, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{instance.url}/v1{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {instance.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def remember(instance: Instance) -> None:
    for fact in _FACTS:
        ask(instance, "/memories", {"agent_id": "default", "user_id": "ada", "content": fact})


def test_the_first_start_fetches_the_model_and_finds_by_meaning(launch: Launch, model_files: Path) -> None:
    with serving(model_files) as hub:
        extra = {"IBEX_EMBEDDER_KIND": "local", "IBEX_MODEL_HUB_URL": hub}
        instance = launch("--jobs", "0", extra=extra).wait_ready()
    assert "model.safetensors: 100 % of 86 MB." in instance.stderr
    assert "Memories are found by words and by meaning." in instance.stderr

    remember(instance)
    found = ask(
        instance,
        "/memories/search",
        {"agent_id": "default", "user_id": "ada", "query": _QUESTION, "limit": 1},
    )

    assert [result["memory"]["content"] for result in found["results"]] == [_FACTS[0]]
    assert found["degraded"] is None


def test_without_the_model_it_starts_and_says_that_words_decide(launch: Launch, data_dir: Path) -> None:
    instance = launch("--jobs", "0", data_dir=data_dir).wait_ready()
    assert "Memories are found by words alone." in instance.stderr

    remember(instance)
    found = ask(
        instance,
        "/memories/search",
        {"agent_id": "default", "user_id": "ada", "query": "green tea", "limit": 1},
    )

    assert [result["memory"]["content"] for result in found["results"]] == [_FACTS[0]]
    assert "words" in found["degraded"]
