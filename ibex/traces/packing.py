"""A batch of traces as bytes, and back: JSON that names the fields once and not for each trace."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from ibex.traces.trace import Trace

_FIELDS = tuple(field.name for field in fields(Trace))
_values = attrgetter(*_FIELDS)
# JSON has none of these types.
_IDS = ("org_id", "id", "agent_id", "token_id")


class UnreadableError(Exception):
    """These bytes are no batch of traces."""


def pack(traces: Sequence[Trace]) -> bytes:
    """Raises `TypeError` for a trace that has what JSON cannot have."""
    return orjson.dumps({"fields": _FIELDS, "traces": [_values(trace) for trace in traces]})


def unpack(packed: bytes) -> list[Trace]:
    """The traces of a batch that this version has packed, or a newer one which knows more fields.

    Raises `UnreadableError`.
    """
    try:
        batch = orjson.loads(packed)
        names = batch["fields"]
        return [_trace(dict(zip(names, values, strict=True))) for values in batch["traces"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(type(error).__name__) from None


def _trace(told: dict[str, Any]) -> Trace:
    known = {name: told[name] for name in _FIELDS if name in told}
    for name in _IDS:
        known[name] = UUID(known[name])
    known["at"] = datetime.fromisoformat(known["at"])
    known["directive_id"] = UUID(known["directive_id"]) if known["directive_id"] else None
    known["memory_ids"] = tuple(map(UUID, known["memory_ids"]))
    known["tools"] = tuple(known["tools"])
    return Trace(**known)
