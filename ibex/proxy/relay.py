"""Forwards a stream as it arrives."""

from ibex.errors import ErrorCode, IbexError
from ibex.http import Deadline
from ibex.http1 import BrokenAnswerError
from ibex.proxy.capture import Capture
from ibex.proxy.providers.calling import Answer
from ibex.proxy.reply import Reply

_LONGEST_HELD = 256 << 10
_EVENTS = "text/event-stream"


class WholeLines:
    """Passes bytes on up to the last line end and holds the beginning of the next line back.

    Half a line is of no use to a client, but were it sent and the provider then broke off, no error could
    be told any more: it would be read as the rest of that line.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        if self._held:
            chunk = self._held + chunk
            self._held = b""
        if chunk.endswith(b"\n"):
            return chunk
        end = chunk.rfind(b"\n") + 1
        if len(chunk) - end > _LONGEST_HELD:
            return chunk
        self._held = chunk[end:]
        return chunk[:end]

    def rest(self) -> bytes:
        """What is held, once the stream has ended well."""
        return self._held


async def relay(answer: Answer, reply: Reply, capture: Capture, deadline: Deadline) -> None:
    """Forward every chunk until the provider ends.

    Raises PROVIDER_ERROR or PROVIDER_TIMEOUT when the provider breaks off or falls silent. How long a client
    may take is the server's to limit.
    """
    lines = WholeLines()
    idle = answer.target.upstream.timeouts.idle
    await reply.start(200, _content_type(answer))
    chunk = answer.first
    try:
        while chunk:
            capture.feed(chunk)
            if whole := lines.feed(chunk):
                await reply.write(whole)
            with deadline.within(idle):
                chunk = await answer.response.read_chunk()
        if not capture.has_ended_well():
            raise BrokenAnswerError
    except BrokenAnswerError:
        raise IbexError(
            ErrorCode.PROVIDER_ERROR, f"The provider `{answer.target.upstream.name}` broke off its answer."
        ) from None
    except TimeoutError:
        raise IbexError(
            ErrorCode.PROVIDER_TIMEOUT,
            f"The provider `{answer.target.upstream.name}` fell silent for {idle:g} s.",
        ) from None
    await reply.finish(lines.rest())


def _content_type(answer: Answer) -> bytes:
    """The provider's, as long as it can stand in a header."""
    content_type = answer.response.headers.get("Content-Type", "")
    return (content_type if content_type.isascii() and content_type.isprintable() else _EVENTS).encode()
