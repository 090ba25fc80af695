"""Events as lines of JSON, from which a chain can be checked without the database."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from ibex.auth.audit.chain import ChainWalk, Head, StoredEvent, Verdict

_NAMES = tuple(field.name for field in fields(StoredEvent))
_MAY_BE_ABSENT = frozenset({"target", "request_id", "address"})


class MalformedLineError(ValueError):
    """A line that is no event; the message says why."""


def spelled(detail: Mapping[str, object]) -> str:
    """The one spelling of a detail: keys in order, no spaces, nothing escaped that need not be."""
    return json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def shown(event: StoredEvent) -> dict[str, Any]:
    """An event for a reader: its fields, `detail` as an object.

    A detail that is spelled in another way, by software that is not IBEX, stays the text that was hashed.
    """
    return {name: getattr(event, name) for name in _NAMES} | {"detail": _read_detail(event.detail)}


def line(event: StoredEvent) -> bytes:
    """An event as it is exported."""
    return json.dumps(shown(event), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def parse(text: bytes) -> StoredEvent:
    """The event in a line. Raises `MalformedLineError` unless it has an event's fields and no others."""
    try:
        found = json.loads(text, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise MalformedLineError(f"it is not JSON ({error})") from None
    if not isinstance(found, dict) or set(found) != set(_NAMES):
        raise MalformedLineError("it has not the fields of an event")
    if isinstance(found["detail"], dict):
        found["detail"] = spelled(found["detail"])
    for name, value in found.items():
        expected = int if name == "number" else str
        if type(value) is not expected and not (value is None and name in _MAY_BE_ABSENT):
            raise MalformedLineError(f"its `{name}` is no field of an event")
    return StoredEvent(**found)


def verify_lines(lines: Iterable[bytes], noted: Head | None = None, *, is_partial: bool = False) -> Verdict:
    """Walk along the chain in an export of one organization.

    Raises `MalformedLineError` for a line that is no event, and for an export without any.
    """
    walk: ChainWalk | None = None
    for position, text in enumerate(lines, 1):
        try:
            event = parse(text)
        except MalformedLineError as error:
            raise MalformedLineError(f"Line {position} is not an event of an audit: {error}.") from None
        walk = walk or ChainWalk(event.org_id, noted, is_partial=is_partial)
        if damage := walk.follow(event):
            return walk.end(damage)
    if walk is None:
        raise MalformedLineError("There is no event in this file.")
    return walk.end()


def _read_detail(text: str) -> dict[str, Any] | str:
    try:
        detail = json.loads(text)
        return detail if isinstance(detail, dict) and spelled(detail) == text else text
    except (ValueError, RecursionError):
        return text


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found
