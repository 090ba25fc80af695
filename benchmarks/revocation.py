"""How long after a revocation each of four processes still lets the token pass.

For every trial a token is made and used on connections to each process until all have it in their cache.
Then it is revoked, and each connection asks as fast as it can until it is refused. What counts is the time
from the answer to the revocation until the first refusal. Half of the trials are announced as usual; in the
other half the announcement is left out, as if Redis could not be reached, and processes read the log.
"""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psycopg

from benchmarks.load import percentile

PROCESSES = 4
TRIALS = 25
MOST_CONNECTIONS = 200
PATIENCE = 10.0

Numbers = dict[str, float]


@dataclass(slots=True)
class Line:
    """A kept connection, and the process at its other end."""

    connection: http.client.HTTPConnection
    pid: int

    def is_admitted(self, token: str) -> bool:
        self.connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {token}"})
        answer = self.connection.getresponse()
        answer.read()
        return answer.status == 200

    def seconds_until_refused(self, token: str, since: float) -> float:
        while perf_counter() - since < PATIENCE:
            if not self.is_admitted(token):
                return perf_counter() - since
        raise RuntimeError("a revoked token is still admitted")


def measure(port: int, data_dir: Path) -> Numbers:
    """Times in milliseconds; of an IBEX with four web processes on `port`."""
    credentials = json.loads((data_dir / "credentials.json").read_text())
    admin = credentials["token"]
    dsn = json.loads((data_dir / "runtime.json").read_text())["postgres_dsn"]
    lines = _one_line_for_each_process(port)
    numbers: Numbers = {"processes": len(lines)}
    with ThreadPoolExecutor(len(lines)) as threads:
        for name, revoke in (("announced", _revoke), ("from_the_log", _revoke_silently)):
            seconds: list[float] = []
            for _ in range(TRIALS):
                token_id, token = _create(port, admin, credentials["agent_id"])
                for line in lines:
                    if not line.is_admitted(token):
                        raise RuntimeError("a new token is refused")
                revoke(port, admin, dsn, token_id)
                revoked_at = perf_counter()
                seconds += threads.map(
                    lambda line, t=token, at=revoked_at: line.seconds_until_refused(t, at), lines
                )
            numbers[f"{name}.p50"] = percentile(seconds, 0.5)
            numbers[f"{name}.p99"] = percentile(seconds, 0.99)
            numbers[f"{name}.most"] = percentile(seconds, 1.0)
    return numbers


def _one_line_for_each_process(port: int) -> list[Line]:
    lines: dict[int, Line] = {}
    for _ in range(MOST_CONNECTIONS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/health")
        connection.getresponse().read()
        pid = _other_end(connection.sock.getsockname()[1], port)
        if pid in lines:
            connection.close()
        else:
            lines[pid] = Line(connection, pid)
        if len(lines) == PROCESSES:
            return list(lines.values())
    raise RuntimeError(f"only {len(lines)} processes were reached")


def _other_end(client_port: int, server_port: int) -> int:
    """The process that holds the accepted socket of a connection, from /proc."""
    inode = next(
        fields[9]
        for fields in _tcp()
        if int(fields[1].rpartition(":")[2], 16) == server_port
        and int(fields[2].rpartition(":")[2], 16) == client_port
    )
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()) == f"socket:[{inode}]":
                return int(descriptor.parts[2])
        except OSError:
            continue
    raise RuntimeError("nobody holds the connection")


def _tcp() -> Iterator[list[str]]:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        yield line.split()


def _create(port: int, admin: str, agent_id: str) -> tuple[str, str]:
    asked = {"name": "benchmark", "permissions": ["chat"], "agent_id": agent_id}
    made = _call(port, admin, "POST", "/v1/tokens", asked)
    data = made["data"]
    return data["id"], data["token"]


def _revoke(port: int, admin: str, dsn: str, token_id: str) -> None:
    _call(port, admin, "DELETE", f"/v1/tokens/{token_id}", None)


def _revoke_silently(port: int, admin: str, dsn: str, token_id: str) -> None:
    """What a revocation does to the database, without a word to Redis."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT org_id FROM ibex.find_principal(%s, NULL, NULL)", (token_id,))
        row = found.fetchone()
        if row is None:
            raise RuntimeError("the token is gone")
        connection.execute("SELECT set_config('app.current_org_id', %s, true)", (str(row[0]),))
        connection.execute("UPDATE ibex.tokens SET revoked_at = now() WHERE id = %s", (token_id,))
        connection.execute("SELECT ibex.note_change('token', %s)", (token_id,))


def _call(port: int, admin: str, method: str, path: str, body: object) -> dict[str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {admin}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
    answered: dict[str, dict[str, str]] = json.loads(text) if text else {}
    return answered
