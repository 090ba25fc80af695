"""Settings from the environment and from ibex.toml, and what a wrong one leads to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import InternalServerError

from ibex.embedded import PostgresServer, ValkeyServer
from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import Instance, free_port, run_ibex
from tests.end_to_end.processes import program
from tests.providers.payloads import ANSWER
from tests.providers.threaded import ThreadedStub

HELLO: Any = [{"role": "user", "content": "Hello!"}]


def say(instance: Instance, model: str) -> str | None:
    with instance.openai() as client:
        return client.chat.completions.create(model=model, messages=HELLO).choices[0].message.content


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[tuple[PostgresServer, ValkeyServer]]:
    """Servers that somebody else runs."""
    postgres = PostgresServer(tmp_path / "outside" / "postgres", report=lambda _: None)
    valkey = ValkeyServer(tmp_path / "outside" / "valkey", report=lambda _: None)
    try:
        (tmp_path / "outside").mkdir()
        postgres.launch()
        valkey.launch()
        postgres.wait_ready()
        valkey.wait_ready()
        yield postgres, valkey
    finally:
        valkey.stop()
        postgres.stop()


def test_the_variables_of_openai_alone_configure_a_provider(
    launch: Launch, data_dir: Path, stub: ThreadedStub
) -> None:
    extra = {"OPENAI_API_KEY": "sk-from-the-environment", "OPENAI_BASE_URL": stub.base_url}
    instance = launch(data_dir=data_dir, extra=extra).wait_ready()
    seen = len(stub.requests)
    assert say(instance, "gpt-4o-mini") == ANSWER
    assert say(instance, "openai/gpt-4o-mini") == ANSWER
    assert stub.requests[seen].header("authorization") == "Bearer sk-from-the-environment"
    assert "sk-from-the-environment" not in instance.stdout + instance.stderr
    assert "  providers    openai (from OPENAI_API_KEY)\n" in instance.stderr


def test_the_key_of_anthropic_alone_configures_a_provider_and_the_first_call(
    launch: Launch, data_dir: Path
) -> None:
    instance = launch(data_dir=data_dir, extra={"ANTHROPIC_API_KEY": "sk-ant-from-the-environment"})
    said = instance.wait_ready().stderr
    assert "  providers    anthropic (from ANTHROPIC_API_KEY)\n" in said
    assert "needs: pip install anthropic\n" in said
    assert f'client = Anthropic(base_url="{instance.url}", api_key=kept["token"])' in said
    assert f"curl {instance.url}/v1/messages" in said
    assert "sk-ant-from-the-environment" not in instance.stdout + said
    with pytest.raises(InternalServerError, match="call /v1/messages"):
        say(instance, "claude-haiku-4-5")


def test_with_addresses_given_nothing_is_started(
    launch: Launch, outside: tuple[PostgresServer, ValkeyServer]
) -> None:
    postgres, valkey = outside
    extra = {
        "IBEX_POSTGRES_DSN": postgres.service_dsn,
        "IBEX_POSTGRES_MIGRATION_DSN": postgres.owner_dsn,
        "IBEX_REDIS_URL": valkey.url,
    }
    instance = launch(extra=extra).wait_ready()
    assert say(instance, "mock")
    assert {program(pid) for pid in instance.tree()} == {program(instance.pid)}
    assert not (instance.data_dir / "postgres").exists()
    assert not (instance.data_dir / "valkey").exists()
    listed = run_ibex(
        "--data-dir", str(instance.data_dir), "agent", "list", folder=instance.folder, extra=extra
    )
    assert "default" in listed.stdout
    examined = run_ibex(
        "--data-dir",
        str(instance.data_dir),
        "doctor",
        f"--port={instance.port}",
        folder=instance.folder,
        extra=extra,
    )
    assert examined.returncode == 0, examined.stdout
    assert postgres.service_dsn not in examined.stdout
    assert instance.stop() == 0
    assert postgres.pid is not None
    assert valkey.pid is not None


def test_a_file_in_the_working_directory(launch: Launch, tmp_path: Path, data_dir: Path) -> None:
    folder = tmp_path / "ibex" / "0"
    folder.mkdir(parents=True)
    (folder / "ibex.toml").write_text(
        """
        workers = 2
        aliases.fast = "mock/mock-small"

        [providers.mock]
        kind = "mock"
        models = ["mock-*"]
        """
    )
    instance = launch("--jobs", "0", data_dir=data_dir).wait_ready()
    assert len(instance.workers()) == 2
    assert '"model": "fast"' in instance.stderr
    assert say(instance, "fast")
    with pytest.raises(InternalServerError, match="No provider serves"):
        say(instance, "gpt-4o-mini")


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"IBEX_PROT": "80"}, "IBEX_PROT is not a setting of IBEX. Did you mean IBEX_PORT?"),
        ({"IBEX_PORT": "eighty"}, "IBEX_PORT is wrong"),
        ({"IBEX_PROVIDERS": "{"}, "IBEX_PROVIDERS must be a JSON object"),
        ({"IBEX_PROVIDERS": '{"a": {"base_url": "ftp://x"}}'}, "must be an http:// or https:// address"),
        ({"IBEX_PROVIDERS": '{"a": {"api_key_env": "MY_KEY"}}'}, "MY_KEY, which the environment lacks"),
        ({"IBEX_CONFIG": "nowhere.toml"}, "nowhere.toml cannot be read"),
        ({"IBEX_POSTGRES_DSN": "secret of mine"}, "IBEX_POSTGRES_DSN is"),
        ({"IBEX_POSTGRES_DSN": "postgresql://host/x?secret=1"}, "IBEX_POSTGRES_DSN is"),
        ({"IBEX_WORKERS": "60"}, "The bundled Postgres is too small for 60 web and 1 job processes."),
        ({"IBEX_TOKEN_PEPPER": "short"}, "must have 32 characters"),
        ({"IBEX_REDIS_URL": "localhost:secret"}, "IBEX_REDIS_URL is"),
        ({"IBEX_REDIS_URL": "redis://host:secret/0"}, "IBEX_REDIS_URL is"),
        (
            {"IBEX_PROVIDERS": '{"a": {"models": ["x"]}}', "IBEX_ALIASES": '{"fast": "y"}'},
            "The alias `fast` names the model `y`, which no provider serves.",
        ),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(
    tmp_path: Path, data_dir: Path, extra: dict[str, str], sentence: str
) -> None:
    done = run_ibex(
        "--data-dir", str(data_dir), "serve", folder=tmp_path, extra={"IBEX_PORT": str(free_port())} | extra
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert done.stdout == ""


def test_an_alias_that_leads_nowhere_is_told_before_anything_is_started(tmp_path: Path) -> None:
    extra = {"IBEX_ALIASES": '{"fast": "y"}', "IBEX_PROVIDERS": '{"a": {"models": ["x"]}}'}
    done = run_ibex("serve", f"--port={free_port()}", folder=tmp_path, extra=extra)
    assert done.returncode == 1
    assert "The alias `fast`" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_that_cannot_be_created(tmp_path: Path) -> None:
    done = run_ibex("--data-dir", "/proc/foo", "serve", f"--port={free_port()}", folder=tmp_path)
    assert done.returncode == 1
    assert "The data directory /proc/foo cannot be created" in done.stderr


def test_a_lost_pepper_is_missed_and_not_replaced(tmp_path: Path, data_dir: Path) -> None:
    pepper = data_dir / "secrets" / "token-pepper"
    pepper.unlink()
    done = run_ibex("--data-dir", str(data_dir), "serve", f"--port={free_port()}", folder=tmp_path)
    assert done.returncode == 1
    assert f"{pepper} is missing." in done.stderr
    assert not pepper.exists()


def test_a_database_that_refuses_the_login_is_not_waited_for(
    tmp_path: Path, outside: tuple[PostgresServer, ValkeyServer]
) -> None:
    postgres, valkey = outside
    wrong = postgres.service_dsn.replace("ibex_service:", "ibex_service:secret")
    extra = {"IBEX_POSTGRES_DSN": wrong, "IBEX_REDIS_URL": valkey.url}
    done = run_ibex("serve", f"--port={free_port()}", folder=tmp_path, extra=extra)
    assert done.returncode == 1
    assert "password authentication failed" in done.stderr
    assert "IBEX_POSTGRES_DSN" in done.stderr
    assert "secret" not in done.stderr
