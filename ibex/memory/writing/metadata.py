"""What callers attach to a memory: any JSON object that is not too large."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ibex.auth.names import invalid

_BYTES = 16 << 10


def checked_metadata(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Raises VALIDATION_ERROR for what Postgres could not keep as it is."""
    try:
        size = len(orjson.dumps(dict(metadata)))
    except TypeError as error:
        raise invalid("metadata", f"The metadata cannot be written as JSON: {error}.") from None
    if size > _BYTES:
        raise invalid("metadata", f"The metadata has {_BYTES:,} bytes at most as JSON, not {size:,}.")
    _check(metadata)
    return metadata


def with_texts(metadata: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The same with every text in it changed, names of fields too."""
    return {change(key): _with_texts(value, change) for key, value in metadata.items()}


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return with_texts(value, change)
    if isinstance(value, list | tuple):
        return [_with_texts(each, change) for each in value]
    return value


def _check(value: Any) -> None:
    if isinstance(value, str) and "\0" in value:
        raise invalid("metadata", "The metadata has a text with the character U+0000; leave it out.")
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid("metadata", "A number in the metadata is not finite.")
    if isinstance(value, Mapping):
        for key, each in value.items():
            _check(key)
            _check(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _check(each)
