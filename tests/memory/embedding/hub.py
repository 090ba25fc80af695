"""A model hub on loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from ibex.memory.embedding.minilm_files import WEIGHTS


class Hub(BaseHTTPRequestHandler):
    """Serves a folder's files below the path of the hub; `spoil` changes what is sent of the weights."""

    def __init__(self, folder: Path, spoil: str, *arguments: object) -> None:
        self._folder, self._spoil = folder, spoil
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        file = self._folder / Path(self.path).name
        if not self.path.startswith("/sentence-transformers/all-MiniLM-L6-v2/resolve/main/"):
            self.send_error(404)
            return
        if self._spoil == "busy":
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(file.stat().st_size))
        self.end_headers()
        with file.open("rb") as content:
            self._send(content, is_spoilt=bool(self._spoil) and file.name == WEIGHTS.name)

    def _send(self, content: BinaryIO, *, is_spoilt: bool) -> None:
        block = content.read(1 << 20)
        if is_spoilt and self._spoil == "changed":
            block = bytes(8) + block[8:]
        self.wfile.write(block)
        while not (is_spoilt and self._spoil == "cut") and (block := content.read(1 << 20)):
            self.wfile.write(block)

    def log_message(self, *arguments: object) -> None:
        return


@contextmanager
def serving(folder: Path, spoil: str = "") -> Iterator[str]:
    """The address of a hub that has the files of a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, folder, spoil))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
