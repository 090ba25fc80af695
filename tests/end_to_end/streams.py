"""A streamed answer read line by line, over a connection whose other end can be found."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.end_to_end.instance import Instance
from tests.end_to_end.processes import has_connection_from


class Stream:
    """One streamed chat completion."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.port: int = connection.sock.getsockname()[1]
        self._response = response

    def event(self) -> str:
        """The next event's data."""
        while not (line := self._line()).startswith("data:"):
            assert line, "the stream has ended"
        return line.removeprefix("data:").strip()

    def rest(self) -> list[str]:
        """The data of all events to come."""
        return [
            line.removeprefix("data:").strip() for line in iter(self._line, "") if line.startswith("data:")
        ]

    def worker(self, instance: Instance) -> int:
        """The process that serves it."""
        return next(pid for pid in instance.workers() if has_connection_from(pid, self.port))

    def _line(self) -> str:
        return self._response.readline().decode()


@contextmanager
def streaming(instance: Instance, model: str) -> Iterator[Stream]:
    """A stream whose head has arrived."""
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=30)
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"Authorization": f"Bearer {instance.token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        yield Stream(connection, response)
    finally:
        connection.close()
