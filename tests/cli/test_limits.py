"""`ibex limit`, while IBEX runs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.embedded.running import wait_for
from tests.end_to_end.instance import Instance, copy_data_dir


@pytest.fixture(scope="module")
def running(used_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("limited")
    instance = Instance(
        folder, "--workers", "2", "--jobs", "0", data_dir=copy_data_dir(used_data_dir, folder / "data")
    )
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0


def status_of_list(instance: Instance) -> int:
    headers = {"Authorization": f"Bearer {instance.token}"}
    return httpx2.get(f"{instance.url}/v1/models", headers=headers, timeout=20.0).status_code


def test_a_limit_is_set_listed_and_removed(running: Instance) -> None:
    limits = ("--requests", "7", "--concurrent", "0", "--month-usd", "2.5")
    done = running.ibex("limit", "set", "agent", "default", *limits)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"agent \S{36}: 7 requests per minute, 0 concurrent requests, 2.5 US dollars per month\.\n",
        done.stdout,
    )
    assert running.ibex("limit", "set", "end_user", "--tokens", "500").returncode == 0
    assert running.ibex("limit", "set", "organization", "--requests", "900").returncode == 0
    [agent, everyone, organization] = json.loads(running.ibex("limit", "list", "--json").stdout)
    assert (agent["scope"], agent["requests_per_minute"], agent["concurrent_requests"]) == ("agent", 7, 0)
    assert (everyone["scope"], everyone["subject"], everyone["tokens_per_minute"]) == ("end_user", "*", 500)
    assert (organization["scope"], organization["requests_per_minute"]) == ("organization", 900)
    table = running.ibex("limit", "list").stdout.splitlines()
    assert re.split(r"\s{2,}", table[0]) == [
        *("SCOPE", "SUBJECT", "REQUESTS/MIN", "TOKENS/MIN", "CONCURRENT"),
        *("REQUESTS/MONTH", "TOKENS/MONTH", "USD/MONTH"),
    ]
    for scope in (["agent", "default"], ["end_user"], ["organization"]):
        assert running.ibex("limit", "remove", *scope).returncode == 0
    assert json.loads(running.ibex("limit", "list", "--json").stdout) == []


def test_a_running_service_follows(running: Instance) -> None:
    assert running.ibex("limit", "set", "agent", "default", "--requests", "0").returncode == 0
    wait_for(lambda: status_of_list(running) == 429)
    assert running.ibex("limit", "remove", "agent", "default").returncode == 0
    wait_for(lambda: status_of_list(running) == 200)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["set", "agent", "nobody", "--requests", "1"], "no agent `nobody`"),
        (["set", "agent", "default"], "one limit at least"),
        (["set", "token", "not-an-id", "--requests", "1"], "not the id of a token"),
        (["remove", "end_user", "stranger"], "no such limit"),
    ],
)
def test_what_cannot_be_done_is_said(running: Instance, arguments: list[str], says: str) -> None:
    done = running.ibex("limit", *arguments)
    assert done.returncode == 1
    assert says in done.stderr
