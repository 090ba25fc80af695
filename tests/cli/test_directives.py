"""`ibex directive`, while IBEX runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.instance import Instance, copy_data_dir


@pytest.fixture(scope="module")
def running(used_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("directives")
    instance = Instance(folder, "--jobs", "0", data_dir=copy_data_dir(used_data_dir, folder / "data"))
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0


@pytest.fixture
def agent(running: Instance, request: pytest.FixtureRequest) -> str:
    """An agent of the test's own."""
    created = running.ibex("agent", "create", request.node.name.replace("_", " ")[-60:])
    return str(created.stdout.split()[1])


@pytest.fixture(scope="module")
def drafting(running: Instance) -> str:
    """An agent with a draft, and files that are no directive."""
    (running.folder / "empty.txt").write_text("\n")
    (running.folder / "picture.txt").write_bytes(b"\x89PNG\xff")
    (running.folder / "long.txt").write_text("a" * 40_000)
    slug = str(running.ibex("agent", "create", "Drafting").stdout.split()[1])
    written(running, slug, "Be brief.")
    return slug


def written(instance: Instance, agent: str, text: str, *options: str) -> str:
    """What creating a version from a file says."""
    file = instance.folder / "prompt.txt"
    file.write_text(text, "utf-8")
    return str(instance.ibex("directive", "create", str(file), "--agent", agent, *options).stdout)


def said(instance: Instance, agent: str, *arguments: str) -> str:
    done = instance.ibex("directive", *arguments, "--agent", agent)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def listed(instance: Instance, agent: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(said(instance, agent, "list", "--json"))
    return rows


def test_a_directive_from_its_first_version_to_its_revocation(running: Instance, agent: str) -> None:
    assert written(running, agent, "Be brief.\n") == "Version 1 is a draft.\n"
    assert said(running, agent, "submit", "1") == "Version 1 is in review.\n"
    assert said(running, agent, "promote", "1") == "Version 1 is active.\n"
    assert said(running, agent, "show") == "Be brief.\n"
    assert written(running, agent, "Be brief.\nBe kind.", "--submit") == "Version 2 is in review.\n"
    assert said(running, agent, "diff", "2").endswith("+Be kind.\n\\ No newline at end of text\n")
    assert "-Be kind." in said(running, agent, "diff", "1", "2")
    told = said(running, agent, "promote", "2", "--share", "0.25")
    assert told == "Version 2 goes to 0.25 of the sessions that begin.\n"
    assert "0.25" in said(running, agent, "list")
    assert said(running, agent, "abort", "2") == "Version 2 is in review.\n"
    assert said(running, agent, "promote", "2", "--at-once") == "Version 2 is active.\n"
    assert said(running, agent, "show") == "Be brief.\nBe kind.\n"
    assert said(running, agent, "rollback") == "Version 1 is active.\n"
    assert said(running, agent, "rollback", "--to", "2") == "Version 2 is active.\n"
    assert said(running, agent, "revoke", "2") == "Version 2 is revoked.\nVersion 1 is active.\n"
    assert said(running, agent, "revoke", "1") == "Version 1 is revoked.\nThe agent has no directive now.\n"


def test_a_version_can_be_written_and_made_the_active_one_at_once(running: Instance, agent: str) -> None:
    for number in (1, 2):
        text = "🦌 {name} <b>\n" * number
        said_of_it = written(
            running, agent, text, "--promote", "--mode", "user_prepend", "--summary", "Deer."
        )
        assert said_of_it == f"Version {number} is active.\n"
        assert said(running, agent, "show") == text
    rows = listed(running, agent)
    assert [(row["number"], row["status"], row["mode"]) for row in rows] == [
        (1, "deprecated", "user_prepend"),
        (2, "active", "user_prepend"),
    ]
    assert "content" not in rows[0]
    shown = json.loads(said(running, agent, "show", "1", "--json"))
    assert (shown["content"], shown["change_summary"]) == ("🦌 {name} <b>\n", "Deer.")
    assert said(running, agent, "revoke", "2") == "Version 2 is revoked.\nVersion 1 is active.\n"


def test_what_is_piped_in(running: Instance, agent: str) -> None:
    created = running.ibex("directive", "create", "-", "--agent", agent, "--json", stdin="Be brief.\n")
    assert json.loads(created.stdout)["content"] == "Be brief.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show",), "has no active directive"),
        (("show", "7"), "There is no such directive"),
        (("promote", "7"), "There is no such directive"),
        (("promote", "1", "--share", "2"), "2.0 is not in the range"),
        (("promote", "1", "--share", "0.5", "--at-once"), "leaves those that have begun alone"),
        (("promote", "1"), "Version 1 is a draft; submit it first."),
        (("abort", "1"), "Version 1 is not being rolled out: it is a draft."),
        (("rollback",), "There is no earlier version"),
        (("list", "--agent", "nobody"), "There is no such agent"),
        (("create", "empty.txt"), "at least one character"),
        (("create", "absent.txt"), "No such file"),
        (("create", "picture.txt"), "text in UTF-8"),
        (("create", "long.txt"), "32,768 bytes"),
    ],
)
def test_what_cannot_be_done_is_said(
    running: Instance, drafting: str, arguments: tuple[str, ...], sentence: str
) -> None:
    done = running.ibex("directive", *arguments, *(() if "--agent" in arguments else ("--agent", drafting)))
    assert done.returncode in {1, 2}
    assert sentence in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
