"""HTTP/1.1 on the wire: uvicorn's parser, with bounds on headers and refusals that SDKs understand."""

import asyncio

import orjson
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ibex.errors import ErrorCode, IbexError, envelope
from ibex.http import DISCONNECT, Disconnect
from ibex.ids import uuid7

# Of one process. Chosen, not measured: ten times what a provider may be asked at once by default.
MOST_CONNECTIONS = 10_000


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses requests whose head is malformed, too large or too slow, in JSON.

    Requests to upgrade are served as if they did not ask for it, which a server may do (RFC 9110, 7.8).

    Parameters
    ----------
    header_bytes: most bytes of request line and headers together.
    header_seconds: in which they must arrive, counted from the connection or from their first byte; and in
        which what is left of a body must, counted from its answer.
    docs_base_url: address under which error pages are found.
    most_connections: of the process; what comes beyond them is closed at once.
    stall_seconds: for which a client may leave what it is sent untouched before it is cut off, whatever the
        timeouts of the providers.
    """

    header_bytes: int
    header_seconds: float
    docs_base_url: str
    most_connections: int
    stall_seconds = 60.0

    _in_head = False
    _in_message = False
    _messages = 0
    _head_size = 0
    _unfinished = 0
    _timer: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._disconnect = Disconnect()
        self._extensions = {DISCONNECT: self._disconnect}
        if len(self.connections) > self.most_connections:
            self.logger.warning("A connection beyond %d was closed.", self.most_connections)
            transport.close()
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_stall()
        super().connection_lost(exc)
        self._disconnect.happened()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self.loop.call_later(self.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_stall()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        self._messages = int(self._in_message)
        try:
            self._parse(memoryview(data))
        except HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)
            return
        if self._in_message or self.cycle is None or not self.cycle.response_complete:
            self._unset_keepalive_if_required()
        elif self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        if self._in_head and not self.transport.is_closing():
            # The parser hands a header over when it is complete, so one without end shows only here. Where a
            # head begins behind another message in the same `data` does not, so there it is not counted yet.
            if self._messages == 1:
                self._unfinished += len(data)
            if self._unfinished > self.header_bytes:
                self._refuse(self._too_large())
            elif self._timer is None:
                self._start_timer()

    def _parse(self, data: memoryview) -> None:
        """Have `data` parsed, and where the parser stops for an upgrade, let it go on without one."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except HttpParserUpgrade as stopped:
                # It has left out the body, and would take it for the next request.
                data = data[stopped.args[0] :]
                self.parser = HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(self._head_without_upgrade())

    def _head_without_upgrade(self) -> bytes:
        method, version = self.scope["method"].encode(), self.scope["http_version"].encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _should_upgrade(self) -> bool:
        """Has uvicorn leave a request alone for which the parser stops; it comes again without upgrade."""
        return True

    def on_message_begin(self) -> None:
        self._in_head = self._in_message = True
        self._messages += 1
        self._head_size = self._unfinished = 0
        super().on_message_begin()
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.get_method() == b"CONNECT":
            # What follows is no HTTP, and here too an error stops the parser.
            raise ValueError("no tunnels")
        super().on_headers_complete()
        self._in_head = False
        self._stop_timer()

    def on_message_complete(self) -> None:
        self._in_message = False
        self._stop_timer()
        super().on_message_complete()
        if not self.pipeline:
            # Reading pauses while much of a body waits to be taken; now it would hide that the client leaves.
            self.flow.resume_reading()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_message and not self._in_head and self.cycle.response_complete:
            self._timer = self.loop.call_later(self.header_seconds, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        if self._head_size > self.header_bytes:
            self._refuse(self._too_large())
        else:
            self._refuse(IbexError(ErrorCode.INVALID_REQUEST, msg))

    def _grow(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self.header_bytes:
            # Stops the parser, which then reports a bad request.
            raise ValueError("headers too large")

    def _too_large(self) -> IbexError:
        return IbexError(
            ErrorCode.HEADERS_TOO_LARGE, f"The headers are larger than {self.header_bytes} bytes."
        )

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.header_seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _too_slow(self) -> None:
        if self.flow.read_paused:
            # It may have arrived long ago, and be read only after the answers to those before it.
            self._start_timer()
            return
        self._refuse(
            IbexError(
                ErrorCode.REQUEST_TIMEOUT, f"No complete request arrived within {self.header_seconds:g} s."
            )
        )

    def _refuse(self, error: IbexError) -> None:
        """Close, and where an answer is due, answer first, below the application."""
        if self.transport.is_closing():
            return
        if not self._is_answer_due():
            self.transport.close()
            return
        if self.cycle is not None:
            # The application has nothing to add.
            self.cycle.disconnected = True
        request_id = str(uuid7())
        body = orjson.dumps(
            envelope(error, "openai", request_id=request_id, docs_base_url=self.docs_base_url)
        )
        self.transport.write(
            b"%bcontent-type: application/json\r\nx-request-id: %b\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (STATUS_LINE[error.status], request_id.encode(), len(body), body)
        )
        self.transport.close()

    def _is_answer_due(self) -> bool:
        """Whether the client would take what it is sent now for the answer to what it sent last."""
        if self.cycle is None:
            return True
        if self._in_message and not self._in_head:
            return not self.pipeline and not self.cycle.response_started
        return self.cycle.response_complete


def bounded_protocol(
    *,
    header_bytes: int,
    header_seconds: float,
    docs_base_url: str,
    most_connections: int = MOST_CONNECTIONS,
) -> type[BoundedHttpProtocol]:
    """The protocol class that the server instantiates for each connection."""

    class Configured(BoundedHttpProtocol):
        pass

    Configured.header_bytes = header_bytes
    Configured.header_seconds = header_seconds
    Configured.docs_base_url = docs_base_url
    Configured.most_connections = most_connections
    return Configured
