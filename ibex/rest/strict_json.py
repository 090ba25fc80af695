"""A body as JSON, read more strictly than the standard library does.

What two readers could understand differently, or what cannot be stored, is refused before anything acts on
it: RFC 8259 leaves repeated names and large numbers to the reader, and PostgreSQL's text has no NUL.
"""

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any, NoReturn

from ibex.errors import ErrorCode, IbexError

_DEPTH = 32
_LARGEST = 2**63


def check(body: bytes) -> None:
    """Raises INVALID_JSON or VALIDATION_ERROR, with what is wrong; never with what was sent."""
    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        _refuse("The body is not UTF-8.")
    except json.JSONDecodeError as error:
        _refuse(f"The body is not valid JSON: {error.msg}, at character {error.pos}.")
    except RecursionError:
        _refuse(_TOO_DEEP)
    for text in _texts(document):
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise IbexError(
                ErrorCode.VALIDATION_ERROR,
                "A text has a NUL or half a surrogate pair in it, which cannot be stored.",
                param="body",
            )


_TOO_DEEP = f"The body has more than {_DEPTH} levels."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        _refuse("An object has the same name twice.")
    return fields


def _integer(digits: str) -> int:
    # The length first: making a number of a million digits takes long.
    number = int(digits) if len(digits) <= 20 else _LARGEST
    if not -_LARGEST <= number < _LARGEST:
        _refuse("A number has more than 64 bits.")
    return number


def _number(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        _refuse("A number is too large.")
    return number


def _constant(name: str) -> NoReturn:
    _refuse(f"`{name}` is no JSON.")


def _texts(document: Any) -> Iterator[str]:
    """Every text in a document, names of fields included."""
    level, depth = [document], 0
    while level:
        if depth > _DEPTH:
            _refuse(_TOO_DEEP)
        inner: list[Any] = []
        for value in level:
            if isinstance(value, str):
                yield value
            elif isinstance(value, dict):
                yield from value
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        level, depth = inner, depth + 1


def _refuse(message: str) -> NoReturn:
    raise IbexError(ErrorCode.INVALID_JSON, message)
