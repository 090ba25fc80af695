"""HTTP/1.1 on the wire: uvicorn's parser, with bounds on headers and refusals that SDKs understand."""

import asyncio

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ibex.errors import ErrorCode, IbexError, envelope
from ibex.http import DISCONNECT, Disconnect
from ibex.ids import uuid7


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses requests whose head is malformed, too large or too slow, in JSON.

    Parameters
    ----------
    header_bytes: most bytes of request line and headers together.
    header_seconds: in which they must arrive, counted from the connection or from their first byte.
    docs_base_url: address under which error pages are found.
    stall_seconds: for which a client may leave what it is sent untouched before it is cut off; as long as a
        provider may be silent.
    """

    header_bytes: int
    header_seconds: float
    docs_base_url: str
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
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            # The parser hands a header over when it is complete, so one without end shows only here. Where a
            # head begins behind another message in the same `data` does not, so there it is not counted yet.
            if self._messages == 1:
                self._unfinished += len(data)
            if self._unfinished > self.header_bytes:
                self._refuse(self._too_large())
            elif self._timer is None:
                self._start_timer()

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
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_message = False
        super().on_message_complete()
        if not self.pipeline:
            # Reading pauses while much of a body waits to be taken; now it would hide that the client leaves.
            self.flow.resume_reading()

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
        self._refuse(
            IbexError(
                ErrorCode.REQUEST_TIMEOUT, f"No complete request arrived within {self.header_seconds:g} s."
            )
        )

    def _refuse(self, error: IbexError) -> None:
        """Answer below the application, which never saw the request, and close."""
        if self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            # An answer to an earlier request is under way, and nothing may stand between its bytes.
            self.transport.close()
            return
        request_id = str(uuid7())
        body = orjson.dumps(
            envelope(error, "openai", request_id=request_id, docs_base_url=self.docs_base_url)
        )
        self.transport.write(
            b"%bcontent-type: application/json\r\nx-request-id: %b\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (STATUS_LINE[error.status], request_id.encode(), len(body), body)
        )
        self.transport.close()


def bounded_protocol(
    *, header_bytes: int, header_seconds: float, docs_base_url: str
) -> type[BoundedHttpProtocol]:
    """The protocol class that the server instantiates for each connection."""

    class Configured(BoundedHttpProtocol):
        pass

    Configured.header_bytes = header_bytes
    Configured.header_seconds = header_seconds
    Configured.docs_base_url = docs_base_url
    return Configured
