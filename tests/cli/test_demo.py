"""`ibex demo`, as somebody runs it who has just installed IBEX, and as somebody who has it running."""

import json
import tempfile
from pathlib import Path

from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import run_ibex

_FACT = "My sister Ines is allergic to hazelnuts."


def test_on_a_fresh_machine_it_shows_that_memory_works(tmp_path: Path) -> None:
    before = _demo_folders()
    # Keys of somebody's own are not spent on it.
    extra = {"OPENAI_API_KEY": "sk-not-to-be-used-0123456789", "IBEX_PORT": "1"}
    done = run_ibex("--data-dir", str(tmp_path / "none"), "demo", folder=tmp_path, extra=extra)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "IBEX was stopped, and started again." in done.stdout
    [asked] = [line for line in done.stdout.splitlines() if "From the context I was given" in line]
    assert _FACT in asked
    assert "/context" in done.stdout
    assert "The answer has what was said in another session" in done.stdout
    assert _demo_folders() == before
    assert not (tmp_path / "none").exists()


def test_an_instance_that_runs_is_used_and_left_as_it_was(launch: Launch, data_dir: Path) -> None:
    instance = launch(data_dir=data_dir).wait_ready()
    done = instance.ibex("demo")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"This talks to the IBEX at {instance.url}/v1." in done.stdout
    assert "The answer has what was said in another session" in done.stdout
    kept = instance.ibex("memory", "list", "--json")
    assert _FACT not in kept.stdout
    assert instance.process.poll() is None


def test_it_fails_when_nothing_is_learned(launch: Launch, data_dir: Path) -> None:
    instance = launch("--jobs", "0", data_dir=data_dir).wait_ready()
    done = instance.ibex("demo")
    assert done.returncode == 1
    assert "Does a worker run" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_mock_model_it_wants_to_know_whom_to_ask(launch: Launch, data_dir: Path) -> None:
    providers = {
        "openai": {"base_url": "http://127.0.0.1:9", "api_key": "sk-0123456789", "models": ["gpt-x"]}
    }
    instance = launch(data_dir=data_dir, extra={"IBEX_PROVIDERS": json.dumps(providers)}).wait_ready()
    done = instance.ibex("demo")
    assert done.returncode == 2
    assert "--model" in done.stderr


def _demo_folders() -> set[str]:
    return {folder.name for folder in Path(tempfile.gettempdir()).glob("ibex-demo-*")}
