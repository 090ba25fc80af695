"""`ibex token` and `ibex agent`, while IBEX runs and while it does not."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import openai
import pytest

from tests.embedded.running import rows, running_postgres
from tests.end_to_end.instance import Instance, copy_data_dir, run_ibex

HELLO: Any = [{"role": "user", "content": "Hello!"}]
TOKEN = re.compile(r"ibex_pat_[0-9a-f-]{36}_[0-9A-Za-z]{49}\n")

Ibex = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def running(used_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("running")
    instance = Instance(
        folder, "--workers", "2", "--jobs", "0", data_dir=copy_data_dir(used_data_dir, folder / "data")
    )
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0


@pytest.fixture
def resting(data_dir: Path, tmp_path: Path) -> Ibex:
    """Runs commands on a data directory on which no IBEX runs."""
    return lambda *arguments: run_ibex("--data-dir", str(data_dir), *arguments, folder=tmp_path)


def say(instance: Instance, token: str, agent: str | None = None) -> str | None:
    with instance.openai(token) as client:
        answer = client.chat.completions.create(
            model="mock", messages=HELLO, extra_headers={"X-IBEX-Agent-ID": agent} if agent else {}
        )
    return answer.choices[0].message.content


def test_a_token_is_all_that_its_creation_prints(running: Instance) -> None:
    created = running.ibex("token", "create", "printed", "--default-agent", "default")
    assert (created.returncode, created.stderr) == (0, "")
    assert TOKEN.fullmatch(created.stdout)
    assert say(running, created.stdout.strip())


def test_a_token_that_no_agent_goes_with_is_created_with_a_hint(running: Instance) -> None:
    created = running.ibex("token", "create", "without an agent")
    assert TOKEN.fullmatch(created.stdout)
    assert created.stderr == "Calls with this token must name an agent, in X-IBEX-Agent-ID.\n"
    managing = running.ibex("token", "create", "never calls", "--permission", "admin:users")
    assert (managing.returncode, managing.stderr) == (0, "")


def test_a_revoked_token_is_refused_at_once_by_every_process(running: Instance) -> None:
    token = running.ibex("token", "create", "short-lived", "--default-agent", "default").stdout.strip()
    for _ in range(6):
        assert say(running, token)
    revoked = running.ibex("token", "revoke", token.split("_")[2])
    assert revoked.stdout == f"Revoked {token.split('_')[2]}.\n"
    for _ in range(6):
        with pytest.raises(openai.AuthenticationError):
            say(running, token)
    listed = json.loads(running.ibex("token", "list", "--json").stdout)
    (record,) = (record for record in listed if record["name"] == "short-lived")
    assert record["state"] == "revoked"
    assert record["permissions"] == ["memory:read", "session:create", "session:read"]
    assert token.rpartition("_")[2] not in json.dumps(listed)


def test_a_token_is_named_by_itself_as_well_as_by_its_id(running: Instance) -> None:
    old = running.ibex("token", "create", "pasted", "--default-agent", "default").stdout.strip()
    rotated = running.ibex("token", "rotate", f" {old}\n", "--overlap", "1h")
    new = rotated.stdout.strip()
    assert TOKEN.fullmatch(rotated.stdout)
    assert say(running, new)
    revoked = running.ibex("token", "revoke", new)
    assert (revoked.returncode, revoked.stdout) == (0, f"Revoked {new.split('_')[2]}.\n")
    with pytest.raises(openai.AuthenticationError):
        say(running, new)
    assert say(running, old)
    for done in (rotated, revoked):
        assert old.rpartition("_")[2] not in done.stdout + done.stderr
    assert new.rpartition("_")[2] not in revoked.stdout + revoked.stderr


@pytest.mark.parametrize("command", ["revoke", "rotate"])
def test_what_is_no_token_is_not_repeated(running: Instance, command: str) -> None:
    token = running.token
    for pasted in (token[:-1], token.removeprefix("ibex_pat_"), token.rpartition("_")[2], f"Bearer {token}"):
        done = running.ibex("token", command, pasted)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Give the token's id, as `ibex token list` shows it, or the whole token." in done.stderr
        assert pasted[-20:] not in done.stderr


def test_a_paused_agent_is_refused_at_once_until_it_is_resumed(running: Instance) -> None:
    created = running.ibex("agent", "create", "Night shift", "--description", "Works at night.")
    assert created.stdout.split()[1] == "night-shift"
    for _ in range(6):
        assert say(running, running.token, "night-shift")
    assert running.ibex("agent", "pause", "night-shift").stdout == "Paused night-shift.\n"
    for _ in range(6):
        with pytest.raises(openai.PermissionDeniedError) as raised:
            say(running, running.token, "night-shift")
        assert raised.value.code == "AGENT_SUSPENDED"
    assert "paused" in running.ibex("agent", "list").stdout
    assert running.ibex("agent", "resume", "night-shift").stdout == "Resumed night-shift.\n"
    for _ in range(6):
        assert say(running, running.token, "night-shift")


def test_the_life_of_a_token(running: Instance) -> None:
    created = running.ibex("token", "create", "a month", "--expires-in", "30d", "--permission", "trace:read")
    assert created.returncode == 0
    listed = running.ibex("token", "list").stdout.splitlines()
    assert re.match(r"ID +NAME +STATE +AGENT +EXPIRES +PERMISSIONS$", listed[0])
    (row,) = (line for line in listed if "a month" in line)
    assert row.endswith("trace:read")
    assert re.search(r"active +any +20\d\d-", row)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("token", "revoke", "01900000-0000-7000-8000-000000000000"), "There is no such token"),
        (("token", "revoke", "mine"), "Give the token's id"),
        (("token", "create", "x", "--permission", "everything"), "There is no permission `everything`"),
        (("token", "create", "x", "--expires-in", "soon"), "`soon` is not a time span"),
        (("token", "create", "x", "--agent", "nobody"), "There is no agent `nobody`"),
        (("token", "create", "x", "--agent", "a", "--default-agent", "b"), "not both"),
        (("token", "create", ""), "A name has 1 to 200 characters"),
        (("agent", "create", "Default"), "There is an agent `default` already"),
        (("agent", "create", "x", "--slug", "Not A Slug"), "`Not A Slug` is not a slug"),
        (("agent", "pause", "nobody"), "There is no agent `nobody`"),
        (("agent", "list", "--org", "acme"), "There is no organization `acme`"),
    ],
)
def test_what_cannot_be_done_is_said(running: Instance, arguments: tuple[str, ...], sentence: str) -> None:
    done = running.ibex(*arguments)
    assert done.returncode in {1, 2}
    assert sentence in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_while_nothing_runs_the_servers_are_started_for_the_command(resting: Ibex, data_dir: Path) -> None:
    created = resting("agent", "create", "Resting", "--json")
    assert json.loads(created.stdout)["slug"] == "resting"
    token = resting("token", "create", "for it", "--agent", "resting")
    assert TOKEN.fullmatch(token.stdout)
    listed = json.loads(resting("token", "list", "--json").stdout)
    assert [record["agent"] for record in listed if record["name"] == "for it"] == ["resting"]
    assert not (data_dir / "runtime.json").exists()


def test_a_command_keeps_to_the_settings_as_the_service_does(running: Instance) -> None:
    most = {f"IBEX_{kind}_PER_ORGANIZATION": "1" for kind in ("AGENTS", "TOKENS")}
    running.ibex("token", "create", "one more than the first")
    for arguments, sentence in (
        (("agent", "create", "x"), "`agents_per_organization` allows 1, and"),
        (("token", "create", "x"), "`tokens_per_organization` allows 1, and"),
    ):
        done = run_ibex("--data-dir", str(running.data_dir), *arguments, folder=running.folder, extra=most)
        assert (done.returncode, done.stdout) == (1, "")
        assert sentence in done.stderr


def test_a_data_directory_that_is_none_is_left_alone(tmp_path: Path) -> None:
    for command in (("token", "list"), ("agent", "create", "x")):
        done = run_ibex(*command, folder=tmp_path)
        assert done.returncode == 1
        assert f"There is no IBEX in {tmp_path / '.ibex'} yet" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_migrate_may_be_repeated_and_comes_before_the_first_start(tmp_path: Path) -> None:
    first = run_ibex("migrate", "--data-dir", "fresh", folder=tmp_path)
    again = run_ibex("--data-dir", "fresh", "migrate", folder=tmp_path)
    assert re.fullmatch(r"The schema is at \d{4}, was at nothing\.\n", first.stdout)
    assert re.fullmatch(r"The schema is at \d{4}, as before\.\n", again.stdout)
    too_early = run_ibex("--data-dir", "fresh", "agent", "list", folder=tmp_path)
    assert "which the first `ibex serve` makes" in too_early.stderr


def test_migrate_works_while_ibex_runs(running: Instance) -> None:
    assert running.ibex("migrate").stdout.endswith(", as before.\n")


def test_an_installation_without_its_pepper_is_not_given_another(resting: Ibex, data_dir: Path) -> None:
    pepper = data_dir / "secrets" / "token-pepper"
    pepper.unlink()
    done = resting("token", "create", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "IBEX_TOKEN_PEPPER" in done.stderr
    assert not pepper.exists()


def test_no_valkey_is_started_to_tell_the_processes_of_another_database(
    tmp_path: Path, data_dir: Path
) -> None:
    with running_postgres(data_dir) as postgres:
        done = run_ibex(
            "--data-dir",
            str(tmp_path / "here"),
            "agent",
            "list",
            folder=tmp_path,
            extra={"IBEX_POSTGRES_DSN": postgres.service_dsn},
        )
    assert done.returncode == 1
    assert "IBEX_REDIS_URL is not" in done.stderr
    assert not (tmp_path / "here").exists()


def test_a_database_of_ones_own_is_migrated_without_a_valkey(tmp_path: Path, data_dir: Path) -> None:
    with running_postgres(data_dir) as postgres:
        extra = {"IBEX_POSTGRES_DSN": postgres.owner_dsn}
        done = run_ibex("--data-dir", str(tmp_path / "here"), "migrate", folder=tmp_path, extra=extra)
    assert done.stdout.endswith(", as before.\n"), done.stderr
    assert not (tmp_path / "here").exists()


def test_a_database_without_a_schema(resting: Ibex, data_dir: Path, tmp_path: Path) -> None:
    with running_postgres(data_dir) as postgres:
        rows(postgres.superuser_dsn, "DROP SCHEMA ibex CASCADE")
    done = resting("agent", "list")
    assert done.returncode == 1
    assert "ibex migrate" in done.stderr
    assert "Traceback" not in done.stderr
