"""How many tokens a request may use, guessed before it is answered, and how many it has used."""

from collections.abc import Iterator

from ibex.proxy.call import Call, Progress
from ibex.proxy.dialects import Summary
from ibex.proxy.payload import Payload

# English text has about four bytes to a token; other scripts have more bytes, and more tokens.
_BYTES_PER_TOKEN = 4
# What an image, a sound or a file counts that is sent along: not as text, which it would be by its size.
_TOKENS_PER_ATTACHMENT = 1_000
# Where a part of a message has what is sent along, by the type of the part, in either dialect.
_ATTACHED_UNDER = {
    "image_url": "image_url",
    "input_audio": "input_audio",
    "file": "file",
    "image": "source",
    "document": "source",
}
# Documents of this kind are text in the request.
_WRITTEN_OUT = ("text", "content")
# What an answer counts when the request does not say how long it may be.
_TOKENS_OF_AN_ANSWER = 1_000
_MOST_ANSWERS = 128
# Beyond every limit that can be set, and exact in every number that it passes through.
_MOST = 1 << 41


def estimate_chat(payload: Payload, size: int) -> int:
    """One token for four bytes, and as many as the answers may have; in either dialect."""
    fields = payload.fields
    longest = _positive(fields.get("max_completion_tokens")) or _positive(fields.get("max_tokens"))
    answers = min(_positive(fields.get("n")) or 1, _MOST_ANSWERS)
    return min(_of_input(payload, size) + answers * (longest or _TOKENS_OF_AN_ANSWER), _MOST)


def estimate_embeddings(payload: Payload, size: int) -> int:
    """One token for four bytes; there is no answer to count."""
    return min(_of_input(payload, size), _MOST)


def tokens_used(call: Call | None, progress: Progress, summary: Summary) -> int | None:
    """What a call has cost; None when it was answered, or may have been, and nobody says."""
    if call is None or progress.attempts == 0:
        return 0
    usage = summary.usage
    if usage.source == "none":
        return 0 if progress.outcome == "failed" else None
    read = usage.input if usage.input is not None else _of_input(call.payload, len(call.body))
    return read + (usage.output or 0)


def _of_input(payload: Payload, size: int) -> int:
    attachments = list(_attachments(payload.fields.get("messages")))
    text = max(size - sum(attachments), 0)
    return -(-text // _BYTES_PER_TOKEN) + len(attachments) * _TOKENS_PER_ATTACHMENT


def _attachments(messages: object) -> Iterator[int]:
    """The sizes of what is sent along inside the messages."""
    for message in messages if isinstance(messages, list) else ():
        yield from _attached(message.get("content") if isinstance(message, dict) else None)


def _attached(content: object) -> Iterator[int]:
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        kind = part.get("type")
        inner = part.get(_ATTACHED_UNDER[kind]) if isinstance(kind, str) and kind in _ATTACHED_UNDER else None
        if isinstance(inner, dict) and inner.get("type") not in _WRITTEN_OUT:
            yield max((len(value) for value in inner.values() if isinstance(value, str)), default=0)
        elif kind == "tool_result":
            # What a tool has shown; its own parts are no results again.
            results = part.get("content")
            yield from _attached([p for p in results if _is_shown(p)] if isinstance(results, list) else None)


def _is_shown(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") != "tool_result"


def _positive(value: object) -> int | None:
    """A number of one at least; whether it is a sensible one is the provider's to judge."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 1:
        return None
    return int(min(value, _MOST))
