"""`/health`, `/ready` and `/metrics`, whichever of several processes is asked."""

import json
import re
from typing import Any

from tests.embedded.running import wait_for
from tests.end_to_end.instance import Instance

HELLO: Any = [{"role": "user", "content": "Hello!"}]


def metric(instance: Instance, series: str) -> float:
    """The value of one series."""
    _, body = instance.get("/metrics")
    found = re.search(rf"^{re.escape(series)} (\S+)$", body.decode(), re.MULTILINE)
    assert found is not None, series
    return float(found[1])


def test_health(shared: Instance) -> None:
    status, body = shared.get("/health")
    assert status == 200
    assert json.loads(body)["status"] == "alive"


def test_ready_names_every_dependency(shared: Instance) -> None:
    status, body = shared.get("/ready")
    told = json.loads(body)
    assert status == 200
    assert set(told["dependencies"]) == {
        "postgres",
        "redis",
        "memories",
        "workers",
        "provider:mock",
        "provider:stub",
    }
    assert b"sk-upstream" not in body


def test_metrics_are_the_same_whoever_is_asked(shared: Instance) -> None:
    series = 'ibex_requests_total{operation="chat_completions",status="200"}'
    before = metric(shared, series)
    for _ in range(12):
        # A connection of its own each, so that both processes get some.
        with shared.openai() as client:
            client.chat.completions.create(model="mock", messages=HELLO)
    wait_for(lambda: metric(shared, series) == before + 12)
    assert {metric(shared, series) for _ in range(10)} == {before + 12}
    assert metric(shared, "ibex_web_processes") == 2


def test_every_request_is_one_json_line_without_content(shared: Instance) -> None:
    secret = "what nobody else is to read"
    with shared.openai() as client:
        raw = client.chat.completions.with_raw_response.create(
            model="mock", messages=[{"role": "user", "content": secret}]
        )
    request_id = raw.headers["x-request-id"]
    wait_for(lambda: request_id in shared.stdout)
    (line,) = (line for line in shared.stdout.splitlines() if request_id in line)
    fields = json.loads(line)
    assert (fields["status"], fields["outcome"], fields["provider"]) == (200, "ok", "mock")
    assert secret not in shared.stdout + shared.stderr
