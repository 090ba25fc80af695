"""OpenAI's interface: chat completions and embeddings."""

import re
from collections.abc import Iterable, Iterator, Sequence

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
from ibex.proxy.dialects.messages import openai_object, openai_stream


def _object_summary(answer: Object) -> Summary:
    return Summary(
        _usage(answer.get("usage")) or Usage(),
        label(answer.get("model")),
        _finish_reason(answer),
        label(answer.get("system_fingerprint")),
    )


def _stream_summary(first: Sequence[Object], last: Sequence[Object]) -> Summary:
    """Usage and finish reason stand in the last events; the first one names the model, and each its
    fingerprint."""
    usage: Usage | None = None
    finish_reason: str | None = None
    fingerprint: str | None = None
    for event in reversed(last):
        usage = usage or _usage(event.get("usage"))
        finish_reason = finish_reason or _finish_reason(event)
        fingerprint = fingerprint or label(event.get("system_fingerprint"))
    model = label(first[0].get("model")) if first else None
    return Summary(usage or Usage(), model, finish_reason, fingerprint)


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


def _object_said(answer: Object) -> Said:
    return _said(_parts([answer], "message"))


def _stream_said(events: Iterable[Object]) -> Said:
    return _said(_parts(events, "delta"))


def _parts(answers: Iterable[Object], name: str) -> Iterator[Object]:
    """What the first choice says; the others are said instead of it."""
    for answer in answers:
        for choice in objects(answer.get("choices")):
            part = choice.get(name)
            if choice.get("index", 0) == 0 and isinstance(part, dict):
                yield part


def _said(parts: Iterable[Object]) -> Said:
    """A refusal stands in a field of its own."""
    texts: list[str] = []
    calls = _Calls()
    is_refusal = False
    for part in parts:
        if isinstance(text := part.get("content"), str):
            texts.append(text)
        is_refusal = is_refusal or bool(part.get("refusal"))
        if "tool_calls" in part:
            for call in objects(part["tool_calls"]):
                calls.note(call)
        elif "function_call" in part:
            # As functions were called before there were tools.
            calls.note({"index": 0, "function": part["function_call"]})
    return Said("".join(texts), tool_names(calls.names), is_refusal)


class _Calls:
    """The calls of tools. Each comes in pieces, of which the first has its name, its index and its id.

    Some providers repeat all of it, and some give every call the same index. In an answer that came as a
    whole, calls have no index.
    """

    def __init__(self) -> None:
        self.names: list[object] = []
        self._known: set[tuple[str, object]] = set()

    def note(self, call: Object) -> None:
        function = call.get("function") or call.get("custom")
        name = function.get("name") if isinstance(function, dict) else None
        marks = [
            (mark, value)
            for mark in ("id", "index")
            if isinstance(value := call.get(mark), str | int) and value != ""
        ]
        if not name or (marks and marks[0] in self._known):
            return
        self.names.append(name)
        self._known.update(marks)


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
    refusals=frozenset({"content_filter"}),
    object_said=_object_said,
    stream_said=_stream_said,
    object_message=openai_object,
    stream_message=openai_stream,
)
