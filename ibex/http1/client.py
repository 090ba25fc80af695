"""Requests to one origin."""

import re
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from ibex.http1.answer import Answer
from ibex.http1.connection import StaleConnectionError
from ibex.http1.pool import Pool

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class HttpClient:
    """Sends requests below a base URL. Redirects are not followed; proxies of the environment are not used.

    Parameters
    ----------
    connect_timeout: seconds for a connection to be made.
    connections: most connections at a time.
    address: to connect to, in place of those that the host's name has; the server must still prove the name.
    tls: in place of the default context, which takes long to make.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout: float,
        connections: int,
        address: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        host = parts.hostname or ""
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        shown = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
        self._host = shown if port == _DEFAULT_PORTS[parts.scheme] else f"{shown}:{port}"
        self._path = parts.path.rstrip("/")
        self._pool = Pool(
            host,
            port,
            (tls or ssl.create_default_context()) if parts.scheme == "https" else None,
            connect_timeout=connect_timeout,
            connections=connections,
            address=address,
        )

    def head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        """The request line and the headers, but for the length; may be sent again and again.

        Raises `ValueError` for a header that cannot be sent.
        """
        lines = [f"{method} {self._path}{path} HTTP/1.1", f"Host: {self._host}"]
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"the header {name[:64]!r} cannot be sent")
            lines.append(f"{name}: {value}")
        return "\r\n".join((*lines, "")).encode()

    async def send(self, head: bytes, body: bytes | None = None) -> Answer:
        """Send a request and wait for the head of its answer.

        Raises `UnreachableError` or `BrokenAnswerError`.
        """
        length = b"\r\n" if body is None else b"Content-Length: %d\r\n\r\n" % len(body)
        request = b"".join((head, length, body or b""))
        while True:
            connection = await self._pool.take()
            try:
                return await connection.ask(request)
            except StaleConnectionError:
                # Closed for its age while the request was on its way, which is nobody's fault: the next one,
                # at the latest one that is made for this request, cannot be stale.
                continue

    def close(self) -> None:
        self._pool.close()
