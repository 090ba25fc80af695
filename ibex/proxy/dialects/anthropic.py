"""Anthropic's interface: messages."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ibex.proxy.dialects.interface import (
    Interface,
    Object,
    Said,
    Summary,
    Usage,
    count,
    label,
    objects,
    tool_names,
)
from ibex.proxy.dialects.messages import anthropic_object, anthropic_stream

# A tool of the client's, of Anthropic's own, or of a server that Anthropic calls.
_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")


def _object_summary(answer: Object) -> Summary:
    return Summary(_usage(answer), label(answer.get("model")), label(answer.get("stop_reason")))


def _stream_summary(first: Sequence[Object], last: Sequence[Object]) -> Summary:
    """`message_start` has the model and what was read, `message_delta` the stop reason and what was written.

    The counts of `message_delta` are of the whole answer, and those that it has replace the earlier ones.
    """
    message = _part(first, "message_start", "message")
    end = next((event for event in reversed(last) if event.get("type") == "message_delta"), None)
    usage = _usage(message)
    if end is None:
        # What was written before the stream was cut off is not known: the start counts its first token.
        return Summary(replace(usage, output=None), label(message.get("model")), None)
    reported = _usage({"usage": {**_usage_of(message), **_without_nulls(_usage_of(end))}})
    return Summary(
        reported,
        label(message.get("model")),
        label(_part([end], "message_delta", "delta").get("stop_reason")),
    )


def _usage(answer: Object) -> Usage:
    """`input_tokens` are those that no cache had; they are counted with the others here."""
    reported = _usage_of(answer)
    if not reported:
        return Usage()
    fresh = count(reported.get("input_tokens"))
    cached = count(reported.get("cache_read_input_tokens"))
    written = count(reported.get("cache_creation_input_tokens"))
    return Usage(
        "provider",
        input=None if fresh is None else count(fresh + (cached or 0) + (written or 0)),
        cached=cached,
        output=count(reported.get("output_tokens")),
    )


def _usage_of(answer: Object) -> Object:
    usage = answer.get("usage")
    return usage if isinstance(usage, dict) else {}


def _without_nulls(counts: Object) -> Object:
    return {name: value for name, value in counts.items() if value is not None}


def _part(events: Iterable[Object], kind: str, name: str) -> Object:
    """What the first event of a kind has under a name."""
    event = next((event for event in events if event.get("type") == kind), {})
    part = event.get(name)
    return part if isinstance(part, dict) else {}


def _object_said(answer: Object) -> Said:
    """It may refuse by its stop reason only."""
    blocks = objects(answer.get("content"))
    texts = (
        text if block.get("type") == "text" and isinstance(text := block.get("text"), str) else None
        for block in blocks
    )
    return Said(_joined(texts), _tools(blocks), is_refusal=False)


def _stream_said(events: Iterable[Object]) -> Said:
    texts: list[str | None] = []
    blocks: list[Object] = []
    for event in events:
        block, delta = event.get("content_block"), event.get("delta")
        if event.get("type") == "content_block_start" and isinstance(block, dict):
            blocks.append(block)
            if block.get("type") != "text":
                texts.append(None)
        elif isinstance(delta, dict) and delta.get("type") == "text_delta":
            text = delta.get("text")
            texts += [text] if isinstance(text, str) else []
    return Said(_joined(texts), _tools(blocks), is_refusal=False)


def _tools(blocks: Iterable[Object]) -> tuple[str, ...]:
    return tool_names(block.get("name") for block in blocks if block.get("type") in _CALLS)


def _joined(pieces: Iterable[str | None]) -> str:
    """Blocks of text that follow each other are one text, which citations have cut; None is another block."""
    texts: list[str] = []
    for piece in pieces:
        if piece is not None:
            texts.append(piece)
        elif texts and texts[-1] != "\n":
            texts.append("\n")
    return "".join(texts).strip("\n")


ANTHROPIC = Interface(
    dialect="anthropic",
    forwards={b"anthropic-version": "anthropic-version", b"anthropic-beta": "anthropic-beta"},
    # At the start of a line, because a model may well say it too.
    end=re.compile(rb'[\r\n](?:event: ?message_stop\r?\ndata:|data: ?\{"type": ?"message_stop")'),
    # The last event is padded with spaces now and then, and some providers put metrics into it.
    tail=1_024,
    ends_with_its_reason=False,
    # Text, thinking, or a piece of a tool's input.
    piece=re.compile(rb'"(?:text|thinking|partial_json)": ?"[^"][^\r\n]*'),
    object_summary=_object_summary,
    stream_summary=_stream_summary,
    refusals=frozenset({"refusal"}),
    object_said=_object_said,
    stream_said=_stream_said,
    object_message=anthropic_object,
    stream_message=anthropic_stream,
)
