"""How many tokens a request may use, guessed before it is answered, and how many it has used."""

from collections.abc import Iterator, Mapping
from typing import Any

from ibex.proxy.call import Call, Progress
from ibex.proxy.capture import Summary
from ibex.proxy.payload import Payload

# English text has about four bytes to a token; other scripts have more bytes, and more tokens.
_BYTES_PER_TOKEN = 4
# What an image, a sound or a file counts that is sent along: not as text, which it would be by its size.
_TOKENS_PER_ATTACHMENT = 1_000
# What an answer counts when the request does not say how long it may be.
_TOKENS_OF_AN_ANSWER = 1_000
_MOST_ANSWERS = 128
# Beyond every limit that can be set, and exact in every number that it passes through.
_MOST = 1 << 41


def estimate_chat(payload: Payload, size: int) -> int:
    """One token for four bytes, and as many as the answers may have."""
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
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") in ("image_url", "input_audio", "file"):
                yield _longest_text(part)


def _longest_text(part: Mapping[str, Any]) -> int:
    inner = part.get(part["type"])
    texts = [value for value in inner.values() if isinstance(value, str)] if isinstance(inner, dict) else []
    return max(map(len, texts), default=0)


def _positive(value: object) -> int | None:
    """A number of one at least; whether it is a sensible one is the provider's to judge."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 1:
        return None
    return int(min(value, _MOST))
