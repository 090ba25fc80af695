"""What somebody sees who has just installed IBEX."""

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import Instance, environment


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance on a data directory that did not exist, below a folder that is closed to others."""
    folder = tmp_path_factory.mktemp("fresh")
    folder.chmod(0o700)
    instance = Instance(folder, data_dir=folder / "below" / "data")
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0


def run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def snippet(instance: Instance, begin: str, end: str | None) -> str:
    """What is printed under one heading, as it would be pasted."""
    text = instance.stderr.partition(f"\n{begin}\n")[2]
    return (text.partition(f"\n{end}\n")[0] if end else text).strip()


def test_the_printed_python_works(fresh: Instance) -> None:
    code = snippet(fresh, "Python:", "Shell:")
    assert "from openai import OpenAI" in code
    assert "Hello!" in run([sys.executable, "-c", code], fresh.folder)


def test_the_printed_python_can_be_pasted_at_a_prompt(fresh: Instance) -> None:
    pasted = subprocess.run(
        [sys.executable, "-i", "-q"],
        input=snippet(fresh, "Python:", "Shell:") + "\n",
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Hello!" in pasted.stdout
    assert "Error" not in pasted.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_printed_curl_works(fresh: Instance) -> None:
    command = snippet(fresh, "Shell:", None)
    answer = json.loads(run(["/bin/sh", "-c", command.replace("curl ", "curl --silent ", 1)], fresh.folder))
    assert "Hello!" in answer["choices"][0]["message"]["content"]


def test_progress_is_told_on_stderr_and_standard_output_has_json_lines_only(fresh: Instance) -> None:
    assert "Creating the PostgreSQL cluster" in fresh.stderr
    assert "Schema brought from nothing" in fresh.stderr
    assert fresh.token in fresh.stderr
    fresh.get("/health")
    for line in fresh.stdout.splitlines():
        json.loads(line)


def test_the_credentials_are_for_their_owner_only(fresh: Instance) -> None:
    path = fresh.data_dir / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(fresh.data_dir.stat().st_mode) == 0o700
    kept = fresh.credentials
    assert set(kept) == {"base_url", "token", "org_id", "agent_id"}
    assert kept["base_url"] == f"{fresh.url}/v1"
    agents = json.loads(fresh.ibex("agent", "list", "--json").stdout)
    assert [agent["id"] for agent in agents] == [kept["agent_id"]]


def test_no_secret_is_in_the_logs(fresh: Instance) -> None:
    secrets = json.loads((fresh.data_dir / "runtime.json").read_text("utf-8"))
    for text in (fresh.token, *secrets.values()):
        assert text not in fresh.stdout
    assert secrets["postgres_dsn"] not in fresh.stderr


def test_a_second_start_has_the_same_token_and_data_at_its_new_address(
    launch: Launch, data_dir: Path
) -> None:
    first = launch(data_dir=data_dir).wait_ready()
    token = first.token
    created = json.loads(first.ibex("agent", "create", "Kept", "--json").stdout)
    assert first.stop() == 0
    second = launch(data_dir=data_dir).wait_ready()
    assert second.token == token
    assert second.credentials["base_url"] == f"{second.url}/v1"
    assert "Creating" not in second.stderr
    with second.openai() as client:
        answer = client.chat.completions.create(
            model="mock",
            messages=[{"role": "user", "content": "Hello!"}],
            extra_headers={"X-IBEX-Agent-ID": created["id"]},
        )
    assert answer.choices


def test_a_later_start_keeps_the_token_out_of_what_a_log_collector_reads(
    launch: Launch, data_dir: Path
) -> None:
    again = launch(data_dir=data_dir).wait_ready()
    assert again.token not in again.stderr
    assert str(data_dir / "credentials.json") in again.stderr
    code = snippet(again, "Python:", "Shell:")
    assert "Hello!" in run([sys.executable, "-c", code], again.folder)
