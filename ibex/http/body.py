"""Reads a body off the wire, within limits of size and time."""

from ibex.errors import ErrorCode, IbexError
from ibex.http.asgi import Receive
from ibex.http.deadline import Deadline
from ibex.http.headers import RequestHeaders


class ClientGoneError(Exception):
    """Nobody is left to answer."""


async def read_body(
    receive: Receive, headers: RequestHeaders, deadline: Deadline, *, limit: int, within: float
) -> bytes:
    """The whole body.

    Parameters
    ----------
    limit: most bytes accepted.
    within: seconds in which all of it must have arrived.

    Raises PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, REQUEST_TIMEOUT, or `ClientGoneError`.
    """
    _check_media_type(headers)
    length = headers.text(b"content-length")
    if length is not None and length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size, more = 0, True
    try:
        with deadline.within(within):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
                more = message.get("more_body", False)
    except TimeoutError:
        raise IbexError(
            ErrorCode.REQUEST_TIMEOUT,
            f"The body did not arrive within {within:g} s.",
            headers={"Connection": "close"},
        ) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _check_media_type(headers: RequestHeaders) -> None:
    encoding = headers.text(b"content-encoding")
    if encoding is not None and encoding.lower() != "identity":
        raise IbexError(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            f"A body with `Content-Encoding: {encoding[:32]}` is not accepted; send it plain.",
            param="Content-Encoding",
        )
    media_type = (headers.text(b"content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise IbexError(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            f"Send `Content-Type: application/json`, not `{media_type[:64] or 'none'}`.",
            param="Content-Type",
        )


def _too_large(limit: int) -> IbexError:
    return IbexError(ErrorCode.PAYLOAD_TOO_LARGE, f"The body is larger than {limit} bytes.")
