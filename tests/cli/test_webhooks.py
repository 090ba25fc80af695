"""`ibex webhook`, while IBEX runs and delivers."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from tests.embedded.running import wait_for
from tests.end_to_end.instance import Instance, copy_data_dir


class Receiver(ThreadingHTTPServer):
    """Takes whatever it is sent, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Nothing: what it is sent is looked at by the test."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        yield listening
        listening.shutdown()


@pytest.fixture
def running(used_data_dir: Path, tmp_path: Path) -> Iterator[Instance]:
    (tmp_path / "ibex.toml").write_text(
        '[notifications]\nallow_http = true\nallowed_networks = ["127.0.0.0/8"]\n'
    )
    instance = Instance(tmp_path, data_dir=copy_data_dir(used_data_dir, tmp_path / "data"))
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0


def test_a_webhook_is_made_told_and_told_again(running: Instance, receiver: Receiver) -> None:
    made = running.ibex("webhook", "create", receiver.url, "--event", "job.dead", "--json")
    assert made.returncode == 0, made.stderr
    webhook = json.loads(made.stdout)
    assert "is on its way" in running.ibex("webhook", "test", webhook["id"]).stdout
    wait_for(lambda: len(receiver.requests) == 1)
    headers, body = receiver.requests[0]
    assert Webhook(webhook["secret"]).verify(body, headers)["type"] == "webhook.test"

    def is_delivered() -> bool:
        url = f"{running.url}/v1/webhooks/{webhook['id']}/deliveries?status=delivered"
        found = httpx2.get(url, headers={"Authorization": f"Bearer {running.token}"}, timeout=20.0)
        return len(found.json()["data"]) == 1

    wait_for(is_delivered)
    (delivery,) = json.loads(running.ibex("webhook", "deliveries", webhook["id"], "--json").stdout)
    again = running.ibex("webhook", "redeliver", webhook["id"], delivery["id"])
    assert again.stdout == "Deliveries begun anew: 1.\n"
    wait_for(lambda: len(receiver.requests) == 2)
    assert webhook["id"] in running.ibex("webhook", "list").stdout
    assert running.ibex("webhook", "delete", webhook["id"]).returncode == 0
    assert "no such webhook" in running.ibex("webhook", "show", webhook["id"]).stderr
    assert webhook["secret"] not in running.stdout
