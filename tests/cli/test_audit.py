"""`ibex audit`: what an auditor does on the machine, and with a file elsewhere."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import psycopg
import pytest

from tests.embedded.running import running_postgres
from tests.end_to_end.instance import Instance, copy_data_dir, run_ibex

Ibex = Callable[..., CompletedProcess[str]]

_INTACT = re.compile(r"default: intact, (\d+) events, head ((\d+):[0-9a-f]{64})\n")


@pytest.fixture(scope="module")
def running(used_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("running")
    instance = Instance(
        folder, "--workers", "1", "--jobs", "0", data_dir=copy_data_dir(used_data_dir, folder / "data")
    )
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0


@pytest.fixture
def resting(data_dir: Path, tmp_path: Path) -> Ibex:
    """Runs commands on a data directory on which no IBEX runs."""
    return lambda *arguments: run_ibex("--data-dir", str(data_dir), *arguments, folder=tmp_path)


def head_of(verified: CompletedProcess[str]) -> str:
    found = _INTACT.fullmatch(verified.stdout)
    assert found, verified.stdout + verified.stderr
    assert found[1] == found[3]
    assert verified.returncode == 0
    return found[2]


def tamper(data_dir: Path, statement: str) -> None:
    """As a superuser does it while nothing runs."""
    with running_postgres(data_dir) as postgres, psycopg.connect(postgres.superuser_dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        assert connection.execute(statement.encode()).rowcount > 0


def test_an_intact_chain_is_told_with_its_head(running: Instance) -> None:
    noted = head_of(running.ibex("audit", "verify"))
    running.ibex("agent", "create", "One more")
    assert head_of(running.ibex("audit", "verify", "--head", noted)) != noted
    assert _INTACT.search(running.ibex("audit", "verify", "--all").stdout)


def test_an_export_is_verified_where_there_is_no_ibex(running: Instance, tmp_path: Path) -> None:
    exported = running.ibex("audit", "export")
    events = [json.loads(line) for line in exported.stdout.splitlines()]
    assert exported.stderr == ""
    assert (events[0]["number"], events[-1]["action"], events[-1]["actor"]) == (1, "audit.export", "cli")
    noted = head_of(running.ibex("audit", "verify"))
    (tmp_path / "audit.jsonl").write_text(exported.stdout, "utf-8")

    def verify(*arguments: str) -> CompletedProcess[str]:
        return run_ibex("audit", "verify", "--file", "audit.jsonl", *arguments, folder=tmp_path)

    assert verify("--head", noted).stdout == (
        f"{events[0]['org_id']}: intact, {len(events)} events, head {noted}\n"
    )
    (tmp_path / "audit.jsonl").write_text(exported.stdout.replace('"cli"', '"you"', 1), "utf-8")
    done = verify()
    assert done.returncode == 1
    assert re.search(
        r": DAMAGED at number \d+: it was altered: its fields do not give its hash\.$", done.stdout
    )
    (tmp_path / "audit.jsonl").write_text("\n".join(exported.stdout.splitlines()[:2]), "utf-8")
    assert verify().returncode == 0
    cut = verify("--head", noted)
    assert (cut.returncode, ": DAMAGED at number 3: it is missing" in cut.stdout) == (1, True)
    assert list(tmp_path.iterdir()) == [tmp_path / "audit.jsonl"]


def test_some_events_are_exported_and_verified_as_some(running: Instance, tmp_path: Path) -> None:
    running.ibex("agent", "create", "Selected", "--slug", "selected")
    running.ibex("agent", "pause", "selected")
    exported = running.ibex(
        "audit", "export", "--action", "agent.pause", "--actor", "cli", "--outcome", "success",
        "--since", "2025-01-01", "--until", "9999-12-31T00:00:00Z", "--after", "1",
    )  # fmt: skip
    (event,) = [json.loads(line) for line in exported.stdout.splitlines()]
    assert event["action"] == "agent.pause"
    target = running.ibex("audit", "export", "--target", event["target"]).stdout
    assert {json.loads(line)["target"] for line in target.splitlines()} == {event["target"]}
    (tmp_path / "some.jsonl").write_text(exported.stdout, "utf-8")
    whole = run_ibex("audit", "verify", "--file", "some.jsonl", folder=tmp_path)
    assert (whole.returncode, "DAMAGED at number 1: it is missing" in whole.stdout) == (1, True)
    some = run_ibex("audit", "verify", "--file", "some.jsonl", "--partial", folder=tmp_path)
    assert (some.returncode, "intact, 1 events" in some.stdout) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("verify", "--head", "17"), "`17` is not a head"),
        (("verify", "--head", "17:xyz"), "`17:xyz` is not a head"),
        (("verify", "--head", f"0:{'0' * 64}", "--all"), "about one organization"),
        (("verify", "--partial"), "--partial is for --file"),
        (("verify", "--file", "nowhere.jsonl"), "No such file"),
        (("verify", "--file", "/dev/null"), "There is no event in this file."),
        (("verify", "--org", "acme"), "There is no organization `acme`"),
        (("export", "--since", "yesterday"), "`yesterday` is not a time"),
        (("export", "--outcome", "great"), "'great' is not one of"),
        (("export", "--target", "a\udcff"), "a character that cannot be printed"),
        (("export", "--after", "-1"), "-1 is not in the range"),
    ],
)
def test_what_cannot_be_done_is_said(running: Instance, arguments: tuple[str, ...], sentence: str) -> None:
    done = running.ibex("audit", *arguments)
    assert done.returncode in {1, 2}
    assert sentence in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_damage_is_told_with_the_number_and_ends_with_status_1(resting: Ibex, data_dir: Path) -> None:
    resting("agent", "create", "One")
    noted = head_of(resting("audit", "verify"))
    last = int(noted.partition(":")[0])
    tamper(data_dir, "UPDATE ibex.audit_events SET actor = 'nobody' WHERE number = 2")
    for arguments in ((), ("--all",), ("--head", noted)):
        done = resting("audit", "verify", *arguments)
        assert done.returncode == 1
        assert done.stdout == (
            "default: DAMAGED at number 2: it was altered: its fields do not give its hash.\n"
        )
    assert last > 2


def test_a_tail_that_was_cut_is_told_to_who_has_noted_the_head(resting: Ibex, data_dir: Path) -> None:
    resting("agent", "create", "One")
    noted = head_of(resting("audit", "verify"))
    last = int(noted.partition(":")[0])
    tamper(data_dir, f"DELETE FROM ibex.audit_events WHERE number = {last}")
    tamper(
        data_dir,
        "UPDATE ibex.audit_chains SET number = e.number, hash = e.hash FROM ibex.audit_events AS e "
        f"WHERE e.number = {last - 1}",
    )
    assert resting("audit", "verify").returncode == 0
    done = resting("audit", "verify", "--head", noted)
    assert done.returncode == 1
    assert done.stdout.startswith(f"default: DAMAGED at number {last}: it is missing")
