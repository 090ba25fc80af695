"""`ibex org`, `ibex user` and what goes with them, while IBEX runs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.end_to_end.instance import Instance, copy_data_dir

HELLO: Any = [{"role": "user", "content": "Hello!"}]
TOKEN = re.compile(r"ibex_pat_[0-9a-f-]{36}_[0-9A-Za-z]{49}")


@pytest.fixture(scope="module")
def running(used_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("teams")
    instance = Instance(folder, "--jobs", "0", data_dir=copy_data_dir(used_data_dir, folder / "data"))
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0


def says(instance: Instance, token: str) -> str | None:
    """What the mock answers, or the code of the refusal."""
    with instance.openai(token) as client:
        try:
            answer = client.chat.completions.create(model="mock", messages=HELLO)
        except openai.APIStatusError as error:
            return str(error.code)
    return answer.choices[0].message.content


def found(instance: Instance, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(instance.ibex(*arguments, "--json").stdout)
    return rows


def test_a_team_from_its_beginning_to_its_end(running: Instance) -> None:
    created = running.ibex("org", "create", "Search team", "--owner", "ada@example.org")
    identity, token = created.stdout.splitlines()
    assert identity.split()[1] == "search-team"
    assert TOKEN.fullmatch(token)
    assert says(running, token) not in {None, "ORGANIZATION_SUSPENDED"}
    assert [user["role"] for user in found(running, "user", "list", "--org", "search-team")] == ["owner"]
    assert running.ibex("org", "suspend", "search-team").stdout == "Suspended search-team.\n"
    assert says(running, token) == "ORGANIZATION_SUSPENDED"
    assert running.ibex("org", "resume", "search-team").stdout == "Resumed search-team.\n"
    assert says(running, token) != "ORGANIZATION_SUSPENDED"
    asked = running.ibex("org", "delete", "search-team")
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "will be erased after 20" in running.ibex("org", "delete", "search-team", "--yes").stdout
    assert says(running, token) == "ORGANIZATION_SUSPENDED"
    states = {row["slug"]: row["status"] for row in found(running, "org", "list")}
    assert states["search-team"] == "deleting"
    assert states["default"] == "active"
    assert "deleting" in running.ibex("org", "list").stdout
    running.ibex("org", "resume", "search-team")
    assert says(running, token) != "ORGANIZATION_SUSPENDED"


def test_a_user_and_their_token(running: Instance) -> None:
    created = running.ibex("user", "create", "Grace@Example.org", "--name", "Grace Hopper")
    assert created.stdout.split()[1] == "grace@example.org"
    token = running.ibex(
        "token", "create", "grace", "--user", "grace@example.org", "--default-agent", "default"
    ).stdout.strip()
    assert says(running, token) not in {None, "USER_SUSPENDED"}
    assert running.ibex("user", "suspend", "grace@example.org").stdout == "Suspended grace@example.org.\n"
    assert says(running, token) == "USER_SUSPENDED"
    running.ibex("user", "resume", "grace@example.org")
    told = running.ibex("user", "role", "grace@example.org", "viewer").stdout
    assert told == "The role of grace@example.org is viewer.\n"
    assert says(running, token) == "INSUFFICIENT_PERMISSIONS"
    (row,) = (row for row in found(running, "user", "list") if row["email"] == "grace@example.org")
    assert (row["role"], row["status"], row["name"]) == ("viewer", "active", "Grace Hopper")
    assert "Grace Hopper" in running.ibex("user", "list").stdout
    assert running.ibex("user", "remove", "grace@example.org").stdout == "Removed grace@example.org.\n"
    assert says(running, token) == "TOKEN_REVOKED"


def test_a_rotated_token_and_where_it_may_be_used(running: Instance) -> None:
    old = running.ibex(
        "token", "create", "near", "--default-agent", "default", "--network", "127.0.0.0/8"
    ).stdout.strip()
    new = running.ibex("token", "rotate", old[9:45], "--overlap", "1h").stdout.strip()
    assert TOKEN.fullmatch(new)
    for token in (old, new):
        assert says(running, token) not in {None, "TOKEN_EXPIRED"}
    far = running.ibex(
        "token", "create", "far", "--default-agent", "default", "--network", "192.0.2.0/24"
    ).stdout.strip()
    assert says(running, far) == "NETWORK_NOT_ALLOWED"
    networks = {row["name"]: row["allowed_networks"] for row in found(running, "token", "list")}
    assert networks["far"] == ["192.0.2.0/24"]
    again = running.ibex("token", "rotate", old[9:45])
    assert (again.returncode, again.stdout) == (1, "")


def test_rights_over_the_installation_can_be_given(running: Instance) -> None:
    created = running.ibex("token", "create", "platform", "--permission", "platform:organizations")
    assert TOKEN.fullmatch(created.stdout.strip())
    (row,) = (row for row in found(running, "token", "list") if row["name"] == "platform")
    assert row["permissions"] == ["platform:organizations"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("org", "create", "Default"), "There is an organization `default` already"),
        (("org", "create", "x", "--owner", "nobody"), "An e-mail address looks like"),
        (("org", "suspend", "nobody"), "There is no organization `nobody`"),
        (("org", "delete", "default", "--yes"), "No other organization has a token with"),
        (("user", "create", "nobody"), "An e-mail address looks like"),
        (("user", "suspend", "nobody@example.org"), "There is no user `nobody@example.org`"),
        (("user", "role", "nobody@example.org", "king"), "'king' is not one of"),
        (("token", "create", "x", "--user", "nobody@example.org"), "There is no user"),
        (("token", "create", "x", "--network", "10.0.0.1/8"), "`10.0.0.1/8` is"),
        (("token", "rotate", "01900000-0000-7000-8000-000000000000"), "There is no such token"),
        (("token", "rotate", "01900000-0000-7000-8000-000000000000", "--overlap", "1"), "not a time span"),
    ],
)
def test_what_cannot_be_done_is_said(running: Instance, arguments: tuple[str, ...], sentence: str) -> None:
    done = running.ibex(*arguments)
    assert done.returncode in {1, 2}
    assert sentence in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
