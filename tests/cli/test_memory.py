"""`ibex memory`, while IBEX runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.instance import Instance, copy_data_dir


@pytest.fixture(scope="module")
def running(used_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("memory")
    instance = Instance(folder, "--jobs", "0", data_dir=copy_data_dir(used_data_dir, folder / "data"))
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0


def rows(instance: Instance, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(instance.ibex("memory", *arguments, "--json").stdout)
    return found


def test_what_is_added_is_found_listed_and_deleted(running: Instance) -> None:
    added = running.ibex("memory", "add", "Ada prefers tea.", "--user", "ada", "--tag", "drinks").stdout
    memory_id, status = added.split()
    assert status == "active"
    assert [row["id"] for row in rows(running, "search", "what does she drink? tea?", "--user", "ada")] == [
        memory_id
    ]
    (listed,) = rows(running, "list", "--user", "ada")
    assert (listed["content"], listed["tags"]) == ("Ada prefers tea.", ["drinks"])
    assert "Ada prefers tea." in running.ibex("memory", "list").stdout

    assert running.ibex("memory", "delete", memory_id).stdout == f"Deleted {memory_id}.\n"
    assert rows(running, "list", "--user", "ada") == []
    erased = running.ibex("memory", "delete", memory_id, "--hard").stdout
    assert erased.startswith(f"Erased {memory_id}: ")
    assert {"1 memories", "2 versions"} <= set(erased.partition(": ")[2].partition(".")[0].split(", "))


def test_the_same_text_again_is_refused_in_a_sentence(running: Instance) -> None:
    running.ibex("memory", "add", "The office closes at six.")
    again = running.ibex("memory", "add", "The office closes at six.")
    assert again.returncode == 1
    assert "remembered here already" in again.stderr
    assert "Traceback" not in again.stderr


def test_an_export_is_imported_once(running: Instance) -> None:
    running.ibex("memory", "add", "Lunch is at noon.", "--user", "bob")
    exported = running.ibex("memory", "export", "export.jsonl", "--user", "bob")
    assert "Exported 1 memories." in exported.stderr
    same = running.ibex("memory", "import", "export.jsonl")
    assert same.stdout == "0 imported, 1 there already, 0 refused.\n"

    lines = "\n".join(json.dumps({"content": f"Number {number} was drawn."}) for number in range(3))
    piped = running.ibex("memory", "import", "-", "--agent", "default", stdin=f"{lines}\n{{broken\n")
    assert piped.returncode == 1
    assert piped.stdout == "3 imported, 0 there already, 1 refused.\n"
    assert "Line 4: " in piped.stderr


def test_without_a_model_reembedding_says_so(running: Instance) -> None:
    refused = running.ibex("memory", "reembed")
    assert refused.returncode == 1
    assert "No embedding model" in refused.stderr
