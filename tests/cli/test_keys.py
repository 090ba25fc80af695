"""`ibex credential` and `ibex keys`: no key is printed, and none is given on a command line."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.end_to_end.instance import run_ibex

API_KEY = "sk-of-the-default-0123456789a1b2"
FIRST, SECOND = "11" * 32, "22" * 32

Ibex = Callable[..., CompletedProcess[str]]


@pytest.fixture
def ibex(data_dir: Path, tmp_path: Path) -> Ibex:
    """Runs commands on a data directory on which no IBEX runs."""

    def run(*arguments: str, stdin: str = "", **extra: str) -> CompletedProcess[str]:
        return run_ibex("--data-dir", str(data_dir), *arguments, folder=tmp_path, extra=extra, stdin=stdin)

    return run


def keys_of(ibex: Ibex, **extra: str) -> list[dict[str, object]]:
    done = ibex("keys", "list", "--json", **extra)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_a_key_is_read_from_standard_input_and_only_its_end_is_shown(ibex: Ibex) -> None:
    done = ibex("credential", "set", "mock", stdin=f"{API_KEY}\n")
    assert (done.returncode, done.stdout) == (0, "mock is called with the key …a1b2.\n"), done.stderr
    (listed,) = json.loads(ibex("credential", "list", "--json").stdout)
    assert (listed["provider"], listed["hint"]) == ("mock", "…a1b2")
    assert "…a1b2" in ibex("credential", "list").stdout
    assert ibex("credential", "remove", "mock").stdout == "Removed the key for mock.\n"
    assert json.loads(ibex("credential", "list", "--json").stdout) == []


def test_a_key_on_the_command_line_is_refused(ibex: Ibex) -> None:
    done = ibex("credential", "set", "mock", API_KEY)
    assert done.returncode == 2
    assert json.loads(ibex("credential", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("provider", "stdin", "says"),
    [("nowhere", API_KEY, "There are: mock."), ("mock", "", "8 to 512"), ("mock", "short", "8 to 512")],
)
def test_what_cannot_be_set_is_refused_with_a_sentence(
    ibex: Ibex, provider: str, stdin: str, says: str
) -> None:
    done = ibex("credential", "set", provider, stdin=stdin)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_rotation_says_what_it_did_and_what_may_go(ibex: Ibex, data_dir: Path) -> None:
    ibex("credential", "set", "mock", stdin=API_KEY)
    (before,) = keys_of(ibex)
    assert (before["state"], before["credentials"]) == ("primary", 1)
    done = ibex("keys", "rotate")
    assert done.returncode == 0, done.stderr
    assert "Provider keys sealed anew" in done.stdout
    assert f"{before['id']} seals nothing any more" in done.stdout
    primary, older = keys_of(ibex)
    assert (primary["state"], primary["credentials"]) == ("primary", 1)
    assert older == {"id": before["id"], "state": "older", "credentials": 0}
    secrets = [line.split()[1] for line in (data_dir / "secrets" / "master-keys").read_text().splitlines()]
    assert len(secrets) == 2
    shown = done.stdout + done.stderr + ibex("keys", "list").stdout
    assert not any(secret in shown for secret in secrets)


def test_keys_that_are_given_are_rotated_where_they_are_given(ibex: Ibex, data_dir: Path) -> None:
    kept = (data_dir / "secrets" / "master-keys").read_bytes()
    ibex("credential", "set", "mock", stdin=API_KEY, IBEX_MASTER_KEY=FIRST)
    assert "put a new key first" in ibex("keys", "rotate", IBEX_MASTER_KEY=FIRST).stdout
    both = {"IBEX_MASTER_KEY": f"{SECOND},{FIRST}"}
    second, first = keys_of(ibex, **both)
    assert (second["credentials"], first["credentials"]) == (0, 1)
    done = ibex("keys", "rotate", **both)
    assert f"{first['id']} seals nothing any more" in done.stdout
    assert "remove it from IBEX_MASTER_KEY" in done.stdout
    assert [each["credentials"] for each in keys_of(ibex, **both)] == [1, 0]
    assert (data_dir / "secrets" / "master-keys").read_bytes() == kept


def test_a_key_that_is_needed_and_not_here_is_listed_as_missing(ibex: Ibex) -> None:
    ibex("credential", "set", "mock", stdin=API_KEY, IBEX_MASTER_KEY=FIRST)
    primary, missing = keys_of(ibex, IBEX_MASTER_KEY=SECOND)
    assert (primary["state"], missing["state"], missing["credentials"]) == ("primary", "missing", 1)
    done = ibex("keys", "rotate", IBEX_MASTER_KEY=SECOND)
    assert done.returncode == 1
    assert "cannot be opened and were left as they are: mock of organization" in done.stderr


def test_a_malformed_master_key_is_not_quoted(ibex: Ibex) -> None:
    done = ibex("keys", "list", IBEX_MASTER_KEY="not-a-master-key")
    assert done.returncode == 1
    assert "openssl rand -hex 32" in done.stderr
    assert "IBEX_MASTER_KEY" in done.stderr
    assert "not-a-master-key" not in done.stderr


def test_two_places_for_master_keys_are_one_too_many(ibex: Ibex, tmp_path: Path) -> None:
    done = ibex("keys", "list", IBEX_MASTER_KEY=FIRST, IBEX_MASTER_KEY_FILE=str(tmp_path / "key"))
    assert done.returncode == 1
    assert "exclude each other" in done.stderr
