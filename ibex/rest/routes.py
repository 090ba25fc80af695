"""Routes whose bodies are not like those of the others."""

from collections.abc import AsyncIterator

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request

from ibex.errors import ErrorCode, IbexError
from ibex.http import ClientGoneError
from ibex.rest.exchange import exchange_of


class LongBodyRoute(APIRoute):
    """Takes bodies as long as the settings let them be."""


class StreamedBodyRoute(APIRoute):
    """Reads its body by itself, while it arrives (`body_lines`)."""


async def body_lines(request: Request, media_type: str, *, longest: int) -> AsyncIterator[bytes]:
    """The lines of a body, without their ends and without those that are blank.

    Parameters
    ----------
    longest: most bytes of one line that anybody reads. Of a longer one there is a byte more, which shows it.

    Raises UNSUPPORTED_MEDIA_TYPE and `ClientGoneError`.
    """
    given = (exchange_of(request).headers.text(b"content-type") or "").partition(";")[0].strip().lower()
    if given != media_type:
        raise IbexError(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            f"Send `Content-Type: {media_type}`, not `{given[:64] or 'none'}`.",
            param="Content-Type",
        )
    rest = b""
    try:
        async for chunk in request.stream():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if line.strip():
                    yield line[: longest + 1]
            rest = rest[: longest + 1]
    except ClientDisconnect:
        raise ClientGoneError from None
    if rest.strip():
        yield rest
