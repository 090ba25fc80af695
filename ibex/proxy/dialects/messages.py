"""The message of an answer, put together from the events of a stream as if it had come as a whole."""

from collections.abc import Iterable
from typing import Any

from ibex.proxy.dialects.interface import Object, objects


def openai_object(answer: Object) -> Any:
    """What the first choice says, as it is."""
    first = next(iter(objects(answer.get("choices"))), {})
    return first.get("message")


def openai_stream(events: Iterable[Object]) -> Any:
    """The texts and calls of tools of the first choice."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[object, dict[str, Any]] = {}
    for event in events:
        for choice in objects(event.get("choices")):
            delta = choice.get("delta")
            if choice.get("index", 0) != 0 or not isinstance(delta, dict):
                continue
            for name in ("content", "refusal"):
                if isinstance(text := delta.get(name), str):
                    message[name] = (message.get(name) or "") + text
            for call in objects(delta.get("tool_calls")):
                _add_call(calls, call)
    if calls:
        message["tool_calls"] = list(calls.values())
    return message


def anthropic_object(answer: Object) -> Any:
    """Its role and its blocks, as they are."""
    return {"role": "assistant", "content": answer.get("content")}


def anthropic_stream(events: Iterable[Object]) -> Any:
    """Its blocks. The input of a tool stays the text of JSON that came in pieces."""
    blocks: dict[object, dict[str, Any]] = {}
    for event in events:
        index, begun, delta = event.get("index"), event.get("content_block"), event.get("delta")
        if event.get("type") == "content_block_start" and isinstance(begun, dict):
            blocks[index] = dict(begun)
        elif isinstance(delta, dict) and (block := blocks.get(index)) is not None:
            for name in ("text", "thinking", "partial_json"):
                if isinstance(piece := delta.get(name), str):
                    grown = "input" if name == "partial_json" else name
                    before = block.get(grown)
                    block[grown] = (before if isinstance(before, str) else "") + piece
    return {"role": "assistant", "content": list(blocks.values())}


def _add_call(calls: dict[object, dict[str, Any]], piece: Object) -> None:
    """A call comes in pieces of one index: the first has its id and its name, all have arguments."""
    call = calls.setdefault(piece.get("index", len(calls)), {"type": "function", "function": {}})
    if isinstance(piece.get("id"), str):
        call["id"] = piece["id"]
    told = piece.get("function")
    for name in ("name", "arguments"):
        if isinstance(told, dict) and isinstance(text := told.get(name), str):
            call["function"][name] = call["function"].get(name, "") + text
