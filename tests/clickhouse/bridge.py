"""Serves one engine over HTTP, at a given port or any; prints it, and ends with its standard input."""

import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb.session import Session

_CODE = re.compile(r"Code: (\d+)")
_NOT_SETTINGS = {"query", "database", "default_format", "wait_end_of_query", "max_execution_time"}


class Engine:
    """One session, which does one thing at a time."""

    def __init__(self, directory: str) -> None:
        self._session = Session(directory)
        self._lock = threading.Lock()
        self._set: dict[str, str] = {}

    def run(self, options: dict[str, str], body: bytes) -> bytes:
        statement = body.decode()
        if "query" in options:
            statement = f"{options['query']}\n{statement}"
        values = {name[6:]: value for name, value in options.items() if name.startswith("param_")}
        with self._lock:
            self._session.query(f"USE `{options.get('database', 'default')}`")
            for name, value in options.items():
                if not name.startswith("param_") and name not in _NOT_SETTINGS:
                    self._set_once(name, value)
            wanted = options.get("default_format", "TabSeparated")
            return bytes(self._session.query(statement, wanted, params=values).bytes() or b"")

    def _set_once(self, name: str, value: str) -> None:
        if self._set.get(name) != value:
            self._session.query(f"SET {name} = '{value}'")
            self._set[name] = value


def serve(directory: str, port: int) -> None:
    engine = Engine(directory)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            options = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("X-ClickHouse-Key", "") == "wrong":
                self._answer(403, b"Code: 516. AUTHENTICATION_FAILED", code="516")
                return
            try:
                self._answer(200, engine.run(options, body))
            except RuntimeError as error:
                found = _CODE.search(str(error))
                self._answer(500, str(error).encode(), code=found[1] if found else "1001")

        def _answer(self, status: int, content: bytes, code: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if code is not None:
                self.send_header("X-ClickHouse-Exception-Code", code)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """What is asked for is nobody's business here."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    # The engine's own threads are not waited for.
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
