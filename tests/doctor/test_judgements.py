"""What the doctor makes of what servers and providers say about themselves."""

from dataclasses import replace

import pytest

from ibex.doctor import State
from ibex.doctor.finding import Finding
from ibex.doctor.postgres import clock, connections, role, vector, version
from ibex.doctor.providers import judge
from ibex.doctor.redis import RedisFacts, persistence, policy
from ibex.doctor.redis import version as redis_version
from ibex.doctor.repository import PostgresFacts
from ibex.doctor.workers import judged
from ibex.settings import load
from ibex.workers import QueueState

GOOD = PostgresFacts(
    version="17.2",
    version_number=170_002,
    vector_installed="0.8.1",
    vector_available="0.8.1",
    connections=97,
    login_role="ibex_service",
    login_is_privileged=False,
    service_exists=True,
    service_is_privileged=False,
    service_is_owner=False,
    service_can_be_assumed=True,
    clock=0.0,
)
KEEPING = RedisFacts(name="Valkey", version="9.1.2", policy="noeviction", appends=True, saves=False)


def test_a_good_database_is_praised() -> None:
    for check in (version, vector, role):
        assert check(GOOD).state is State.OK
        assert check(GOOD).remedy == ""


@pytest.mark.parametrize(
    ("finding", "state", "remedy"),
    [
        (version(replace(GOOD, version="15.4", version_number=150_004)), State.PROBLEM, "16 or newer"),
        (vector(replace(GOOD, vector_installed=None)), State.OK, ""),
        (vector(replace(GOOD, vector_installed=None, vector_available=None)), State.PROBLEM, "Install"),
        (vector(replace(GOOD, vector_installed="0.7.4")), State.PROBLEM, "ALTER EXTENSION"),
        (vector(replace(GOOD, vector_installed="0.10.0")), State.OK, ""),
        (role(replace(GOOD, service_exists=False)), State.PROBLEM, "ibex migrate"),
        (role(replace(GOOD, service_is_privileged=True)), State.PROBLEM, "NOSUPERUSER"),
        (role(replace(GOOD, service_is_owner=True)), State.PROBLEM, "the role that migrates"),
        (
            role(replace(GOOD, login_role="app", service_can_be_assumed=False)),
            State.PROBLEM,
            "GRANT ibex_service TO app",
        ),
        (role(replace(GOOD, login_role="postgres", login_is_privileged=True)), State.WARNING, "Log in"),
        (clock(0.2), State.OK, ""),
        (clock(-4.0), State.WARNING, "Synchronise"),
        (redis_version(KEEPING), State.OK, ""),
        (redis_version(replace(KEEPING, name="Redis", version="6.2.14")), State.PROBLEM, "7 or newer"),
        (policy(KEEPING), State.OK, ""),
        (policy(replace(KEEPING, policy="allkeys-lru")), State.PROBLEM, "noeviction"),
        (persistence(KEEPING), State.OK, ""),
        (persistence(replace(KEEPING, appends=False, saves=True)), State.WARNING, "appendonly"),
        (persistence(replace(KEEPING, appends=False)), State.WARNING, "appendonly"),
        (judged(QueueState(waiting=3, oldest_seconds=1.0, seen_seconds=2.0)), State.OK, ""),
        (
            judged(QueueState(waiting=3, oldest_seconds=900.0, seen_seconds=2.0)),
            State.WARNING,
            "more workers",
        ),
        (judged(QueueState(waiting=0, oldest_seconds=0.0, seen_seconds=None)), State.WARNING, "ibex worker"),
        (judged(QueueState(waiting=1, oldest_seconds=9.0, seen_seconds=90.0)), State.PROBLEM, "ibex worker"),
        (judge("p", "u", 200, b'{"data": [{"id": "m"}]}'), State.OK, ""),
        (judge("p", "u", 200, b"<html>"), State.PROBLEM, "/v1"),
        (judge("p", "u", 200, b'{"models": []}'), State.PROBLEM, "/v1"),
        (judge("p", "u", 401, b"{}"), State.PROBLEM, "api_key"),
        (judge("p", "u", 404, b""), State.PROBLEM, "base_url"),
        (judge("p", "u", 302, b""), State.PROBLEM, "base_url"),
        (judge("p", "u", 503, b""), State.WARNING, "later"),
    ],
)
def test_each_fault_has_its_remedy(finding: Finding, state: State, remedy: str) -> None:
    assert finding.state is state
    assert remedy in finding.remedy
    assert bool(finding.remedy) == (state is not State.OK)


def test_more_connections_than_the_server_admits() -> None:
    settings = load(
        {}, overrides={"postgres_dsn": "postgresql://x", "workers": 8, "postgres_connections": 20, "jobs": 1}
    )
    finding = connections(GOOD, settings)
    assert finding.state is State.PROBLEM
    assert "167 of 97" in finding.text
    assert connections(replace(GOOD, connections=200), settings).state is State.OK
