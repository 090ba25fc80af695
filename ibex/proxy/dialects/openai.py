"""OpenAI's interface: chat completions and embeddings."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ibex.proxy.dialects.interface import Interface, Object, Summary, Usage, count, label, objects


def _object_summary(answer: Object) -> Summary:
    return Summary(_usage(answer.get("usage")) or Usage(), label(answer.get("model")), _finish_reason(answer))


def _stream_summary(first: Sequence[Object], last: Sequence[Object]) -> Summary:
    """Usage and finish reason stand in the last events; the first one names the model."""
    usage: Usage | None = None
    finish_reason: str | None = None
    for event in reversed(last):
        usage = usage or _usage(event.get("usage"))
        finish_reason = finish_reason or _finish_reason(event)
    return Summary(usage or Usage(), label(first[0].get("model")) if first else None, finish_reason)


def _usage(reported: object) -> Usage | None:
    if not isinstance(reported, dict):
        return None
    details = reported.get("prompt_tokens_details")
    return Usage(
        "provider",
        input=count(reported.get("prompt_tokens")),
        cached=count(details.get("cached_tokens")) if isinstance(details, dict) else None,
        output=count(reported.get("completion_tokens")),
    )


def _finish_reason(answer: Object) -> str | None:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    return label(choices[0].get("finish_reason"))


def _object_text(answer: Object) -> str:
    return "".join(_contents(answer, "message"))


def _stream_text(events: Iterable[Object]) -> str:
    return "".join(content for event in events for content in _contents(event, "delta"))


def _contents(answer: Object, part: str) -> Iterable[str]:
    """What the first choice says; the others are said instead of it."""
    for choice in objects(answer.get("choices")):
        said: Any = choice.get(part)
        if choice.get("index", 0) == 0 and isinstance(said, dict) and isinstance(said.get("content"), str):
            yield said["content"]


OPENAI = Interface(
    dialect="openai",
    forwards={b"openai-beta": "OpenAI-Beta"},
    # At the start of a line, because a model may well say it too.
    end=re.compile(rb"[\r\n]data: ?\[DONE\]"),
    # A comment or two may follow the end.
    tail=64,
    ends_with_its_reason=True,
    # Text, reasoning, or a piece of a tool's arguments; an event that has several of them, which stand in one
    # line, counts once.
    piece=re.compile(rb'"(?:content|reasoning|reasoning_content|arguments)": ?"[^"][^\r\n]*'),
    object_summary=_object_summary,
    stream_summary=_stream_summary,
    object_text=_object_text,
    stream_text=_stream_text,
)
