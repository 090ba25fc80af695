"""A message's content as the dialects write it: a text, or a list of parts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson


def texts_of(content: object) -> Iterator[str]:
    """The texts of a content; whatever else is in it is passed over."""
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


def parts_of(content: object) -> Sequence[Any]:
    """The parts of a content that is a list; none of one that is not."""
    return content if isinstance(content, list) else ()


def text_of(content: object) -> str:
    return "\n".join(texts_of(content))


def kind_of(part: object) -> object:
    return part.get("type") if isinstance(part, Mapping) else None


def as_json(value: object) -> str:
    """What was parsed, written again; empty when it is nested deeper than can be written."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return ""
