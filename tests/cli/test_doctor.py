"""`ibex doctor` on installations that are well and on such as are not."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ibex.embedded import PostgresServer
from tests.embedded.running import rows, running_postgres
from tests.end_to_end.instance import Instance, copy_data_dir, free_port, run_ibex
from tests.providers import behaviours, payloads
from tests.providers.exchange import Exchange
from tests.providers.threaded import ThreadedStub


@pytest.fixture(scope="module")
def running(used_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("running")
    instance = Instance(folder, "--jobs", "0", data_dir=copy_data_dir(used_data_dir, folder / "data"))
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0


def examine(
    data_dir: Path, folder: Path, *arguments: str, extra: Mapping[str, str] | None = None
) -> tuple[int, dict[str, dict[str, str]], str]:
    """Exit status, findings by check, and everything that was printed."""
    done = run_ibex("--data-dir", str(data_dir), "doctor", "--json", *arguments, folder=folder, extra=extra)
    assert "Traceback" not in done.stderr, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ok"] == (done.returncode == 0)
    return done.returncode, {f["check"]: f for f in told["findings"]}, done.stdout + done.stderr


def given(postgres: PostgresServer) -> dict[str, str]:
    """The variables of a server that somebody runs, without a Redis."""
    return {"IBEX_POSTGRES_DSN": postgres.service_dsn, "IBEX_POSTGRES_MIGRATION_DSN": postgres.owner_dsn}


def problems(findings: Mapping[str, Mapping[str, str]]) -> set[str]:
    return {check for check, finding in findings.items() if finding["state"] == "problem"}


def test_all_is_well_while_ibex_runs(running: Instance) -> None:
    status, findings, printed = examine(running.data_dir, running.folder, f"--port={running.port}")
    assert (status, problems(findings)) == (0, set())
    assert "its token is valid" in findings["credentials"]["text"]
    assert "the database's tokens were made with it" in findings["token pepper"]["text"]
    assert {"Postgres", "pgvector", "schema", "service role", "connections", "clock"} <= findings.keys()
    assert {"Redis", "Redis memory", "Redis persistence"} <= findings.keys()
    secrets = json.loads((running.data_dir / "runtime.json").read_text("utf-8"))
    pepper = (running.data_dir / "secrets" / "token-pepper").read_text("utf-8").strip()
    for secret in (running.token, pepper, *secrets.values()):
        assert secret not in printed


def test_each_check_is_one_line_for_people(running: Instance) -> None:
    done = running.ibex("doctor", f"--port={running.port}")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 15
    for line in done.stdout.splitlines():
        assert line.startswith(("✓ ", "! "))


def test_an_examination_before_the_first_start_creates_nothing(tmp_path: Path) -> None:
    status, findings, _ = examine(tmp_path / "data", tmp_path, f"--port={free_port()}")
    assert (status, problems(findings)) == (0, set())
    assert "will be created" in findings["data directory"]["text"]
    assert list(tmp_path.iterdir()) == []


def test_the_names_of_variables_are_told_and_their_values_are_not(tmp_path: Path) -> None:
    extra = {"IBEX_TOKEN_PEPPER": "0123456789abcdef" * 4, "OPENAI_API_KEY": "sk-secret", "IBEX_WORKERS": "2"}
    _, findings, printed = examine(tmp_path / "data", tmp_path, "--offline", extra=extra)
    assert "IBEX_TOKEN_PEPPER, IBEX_WORKERS, OPENAI_API_KEY" in findings["settings"]["text"]
    assert "sk-secret" not in printed
    assert "0123456789abcdef" not in printed


def test_a_wrong_setting_does_not_keep_the_machine_from_being_examined(tmp_path: Path) -> None:
    status, findings, _ = examine(tmp_path / "data", tmp_path, extra={"IBEX_PROT": "1"})
    assert (status, problems(findings)) == (1, {"settings"})
    assert "IBEX_PROT is not a setting" in findings["settings"]["text"]
    assert "python" in findings


def test_credentials_that_others_can_read_or_that_do_not_work(running: Instance) -> None:
    path = running.data_dir / "credentials.json"
    kept = path.read_text("utf-8")
    port = f"--port={running.port}"
    try:
        path.chmod(0o644)
        _, findings, _ = examine(running.data_dir, running.folder, port)
        assert problems(findings) == {"credentials"}
        assert findings["credentials"]["remedy"] == f"chmod 600 {path}"
        path.chmod(0o600)
        path.write_text(kept.replace(running.token, running.token[:-1] + "_"), "utf-8")
        _, findings, _ = examine(running.data_dir, running.folder, port)
        assert "is refused" in findings["credentials"]["text"]
        path.write_text("{", "utf-8")
        _, findings, _ = examine(running.data_dir, running.folder, port)
        assert "damaged" in findings["credentials"]["text"]
    finally:
        path.write_text(kept, "utf-8")


def test_the_pepper_of_another_installation(running: Instance) -> None:
    extra = {"IBEX_TOKEN_PEPPER": "another pepper with thirty-two characters"}
    _, findings, _ = examine(running.data_dir, running.folder, f"--port={running.port}", extra=extra)
    assert problems(findings) == {"token pepper", "credentials"}


def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(0)
        port = taken.getsockname()[1]
        _, findings, _ = examine(tmp_path / "data", tmp_path, f"--port={port}")
    assert problems(findings) == {"port"}


def test_a_port_that_another_ibex_has(running: Instance, tmp_path: Path) -> None:
    _, findings, _ = examine(tmp_path / "data", tmp_path, f"--port={running.port}")
    assert problems(findings) == {"port"}
    assert "another data directory" in findings["port"]["text"]


def test_a_data_directory_that_is_none_or_that_others_may_enter(tmp_path: Path) -> None:
    port = f"--port={free_port()}"
    (tmp_path / "file").touch()
    _, findings, _ = examine(tmp_path / "file", tmp_path, port)
    assert findings["data directory"]["state"] == "problem"
    _, findings, _ = examine(Path("/proc/foo"), tmp_path, port)
    assert "cannot be created" in findings["data directory"]["text"]
    (tmp_path / "open").mkdir(mode=0o755)
    _, findings, _ = examine(tmp_path / "open", tmp_path, port)
    assert findings["data directory"]["state"] == "warning"


def test_servers_that_cannot_be_reached(tmp_path: Path) -> None:
    nowhere = free_port()
    extra = {
        "IBEX_POSTGRES_DSN": f"postgresql://ibex:s3cret@127.0.0.1:{nowhere}/ibex",
        "IBEX_REDIS_URL": f"redis://:s3cret@127.0.0.1:{nowhere}/0",
    }
    _, findings, printed = examine(tmp_path / "data", tmp_path, f"--port={free_port()}", extra=extra)
    assert problems(findings) == {"Postgres", "Redis"}
    assert "Connection refused" in findings["Postgres"]["text"]
    assert "s3cret" not in printed


def test_of_two_servers_the_one_that_is_given_is_examined_while_nothing_runs(
    tmp_path: Path, data_dir: Path
) -> None:
    port = f"--port={free_port()}"
    with running_postgres(data_dir) as postgres:
        extra = given(postgres)
        _, findings, _ = examine(tmp_path / "data", tmp_path, port, extra=extra)
    assert "answers" in findings["Postgres"]["text"]
    assert findings["schema"]["state"] == "ok"
    assert (findings["Redis"]["state"], findings["Redis"]["text"][:13]) == ("warning", "Not examined:")
    extra = {"IBEX_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    _, findings, _ = examine(tmp_path / "data", tmp_path, port, extra=extra)
    assert problems(findings) == {"Redis"}
    assert findings["Postgres"]["state"] == "warning"


def test_another_database_that_is_away_is_not_looked_for_in_the_log_of_the_bundled_one(
    running: Instance,
) -> None:
    extra = {"IBEX_POSTGRES_DSN": f"postgresql://ibex@127.0.0.1:{free_port()}/ibex"}
    done = run_ibex(
        "--data-dir",
        str(running.data_dir),
        "doctor",
        f"--port={running.port}",
        folder=running.folder,
        extra=extra,
    )
    assert done.returncode == 1
    assert "Check IBEX_POSTGRES_DSN" in done.stdout
    assert "postgres.log" not in done.stdout
    assert done.stderr == ""


def test_a_database_that_is_fresh_or_behind_is_not_ill(tmp_path: Path, data_dir: Path) -> None:
    port = f"--port={free_port()}"
    with running_postgres(data_dir) as postgres:
        extra = given(postgres)
        rows(postgres.superuser_dsn, "UPDATE ibex.alembic_version SET version_num = '0000'")
        _, behind, _ = examine(data_dir, tmp_path, port, extra=extra)
        rows(postgres.superuser_dsn, "DROP SCHEMA ibex CASCADE")
        _, fresh, printed = examine(data_dir, tmp_path, port, extra=extra)
    for findings in (behind, fresh):
        assert problems(findings) == set()
        assert findings["schema"]["state"] == "warning"
        assert "ibex serve" in findings["schema"]["remedy"]
        assert "ibex migrate" in findings["schema"]["remedy"]
    assert "does not exist" not in printed


def test_a_pepper_that_is_lost(tmp_path: Path, data_dir: Path) -> None:
    (data_dir / "secrets" / "token-pepper").unlink()
    with running_postgres(data_dir) as postgres:
        extra = given(postgres)
        _, findings, _ = examine(data_dir, tmp_path, f"--port={free_port()}", extra=extra)
    assert problems(findings) == {"token pepper"}
    assert "is missing" in findings["token pepper"]["text"]


def test_a_master_key_that_is_lost_or_not_private(tmp_path: Path, data_dir: Path) -> None:
    arguments = ("--data-dir", str(data_dir), "credential", "set", "mock")
    assert run_ibex(*arguments, folder=tmp_path, stdin="sk-0123456789abcdef").returncode == 0
    file = data_dir / "secrets" / "master-keys"
    with running_postgres(data_dir) as postgres:
        extra = given(postgres)
        _, sound, _ = examine(data_dir, tmp_path, f"--port={free_port()}", extra=extra)
        file.chmod(0o644)
        _, open_to_all, _ = examine(data_dir, tmp_path, f"--port={free_port()}", extra=extra)
        file.unlink()
        _, lost, _ = examine(data_dir, tmp_path, f"--port={free_port()}", extra=extra)
    assert problems(sound) == set()
    assert "every provider key opens" in sound["master keys"]["text"]
    assert problems(open_to_all) == problems(lost) == {"master keys"}
    assert "chmod 600" in open_to_all["master keys"]["remedy"]
    assert "sealed under the master key" in lost["master keys"]["text"]
    assert not file.exists()


def test_an_alias_that_leads_nowhere(tmp_path: Path) -> None:
    extra = {"IBEX_ALIASES": '{"fast": "y"}', "IBEX_PROVIDERS": '{"a": {"models": ["x"]}}'}
    _, findings, _ = examine(tmp_path / "data", tmp_path, "--offline", f"--port={free_port()}", extra=extra)
    assert problems(findings) == {"aliases"}
    assert "`fast` names the model `y`" in findings["aliases"]["text"]


def test_providers_good_and_bad(tmp_path: Path, threaded_stub: ThreadedStub) -> None:
    async def good(exchange: Exchange) -> None:
        await exchange.respond(payloads.encode(payloads.models(["one", "two"])))

    async def as_named(exchange: Exchange) -> None:
        await by_name[exchange.request.path.split("/")[1]](exchange)

    by_name = {
        "good": good,
        "refusing": behaviours.status(401),
        "html": behaviours.html,
        "hanging": behaviours.hang_before_headers,
        "closing": behaviours.close_before_headers,
        "failing": behaviours.status(500),
    }
    threaded_stub.on_path("/models", as_named)
    addresses = {name: f"{threaded_stub.url}/{name}" for name in by_name}
    addresses["nowhere"] = f"http://127.0.0.1:{free_port()}/v1"
    declared: dict[str, Any] = {
        name: {"base_url": url, "api_key": "sk-s3cret"} for name, url in addresses.items()
    }
    declared |= {"built-in": {"kind": "mock"}, "claude": {**declared["good"], "kind": "anthropic"}}
    extra = {"IBEX_PROVIDERS": json.dumps(declared)}
    _, findings, printed = examine(tmp_path / "data", tmp_path, f"--port={free_port()}", extra=extra)
    said = {name: findings[f"provider {name}"]["text"] for name in (*addresses, "built-in")}
    assert "key is refused (401)" in said["refusing"]
    assert "not a list of models" in said["html"]
    assert "did not answer within" in said["hanging"]
    assert "does not speak HTTP" in said["closing"]
    assert "answers 500" in said["failing"]
    assert findings["provider failing"]["state"] == "warning"
    assert "cannot be reached: Connect" in said["nowhere"]
    assert "lists 2 models" in said["good"]
    assert "lists 2 models" in findings["provider claude"]["text"]
    keys = [
        (r.header("authorization"), r.header("x-api-key")) for r in threaded_stub.requests if "good" in r.path
    ]
    assert sorted(keys, key=str) == [("Bearer sk-s3cret", None), (None, "sk-s3cret")]
    assert said["built-in"] == "Built in."
    assert "s3cret" not in printed
    seen = len(threaded_stub.requests)
    examine(tmp_path / "data", tmp_path, f"--port={free_port()}", "--offline", extra=extra)
    assert len(threaded_stub.requests) == seen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is warned")
def test_root_is_warned(tmp_path: Path) -> None:
    _, findings, _ = examine(tmp_path / "data", tmp_path, f"--port={free_port()}")
    assert findings["user"]["state"] == "warning"
