"""The lines of an export: a memory each, and then how they are related."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from ibex.auth.names import invalid
from ibex.errors import ErrorCode, IbexError
from ibex.memory.memory import Memory
from ibex.memory.repository.transfer import RelationKind, StoredRelation
from ibex.memory.schemas import MemoryFields
from ibex.memory.views import shown
from ibex.rest import Body, strict_json

# Bytes. Twice what the longest text and the largest metadata take when every character is escaped.
LONGEST_LINE = 2 << 20
_LARGEST_COUNT = 2**53
# What says something of the place that a memory was in, and not of the memory.
_LEFT_OUT = ("version", "usefulness", "is_embedded", "risk", "updated_at")


class MemoryLine(MemoryFields):
    """A memory as it was exported, or as somebody else has written it down: `content` is enough.

    `agent` is the slug of its agent, where its id says nothing.
    """

    model_config = ConfigDict(extra="ignore")

    type: Literal["memory"] = "memory"
    id: UUID | None = None
    agent_id: str | None = None
    agent: str | None = None
    status: Literal["active", "superseded", "merged", "archived"] = "active"
    helpful: float = Field(1.0, ge=1.0, le=1_000.0)
    unhelpful: float = Field(1.0, ge=1.0, le=1_000.0)
    uses: int = Field(0, ge=0, le=_LARGEST_COUNT)
    last_used_at: datetime | None = None


class RelationLine(Body):
    """That one memory has taken the place of another, derives from it, or contradicts it."""

    type: Literal["relation"]
    memory_id: UUID
    kind: RelationKind
    other_id: UUID

    def relation(self) -> StoredRelation:
        return StoredRelation(self.memory_id, self.kind, self.other_id)


_RELATION: TypeAdapter[RelationLine] = TypeAdapter(RelationLine)
_MEMORY: TypeAdapter[MemoryLine] = TypeAdapter(MemoryLine)


def memory_line(memory: Memory, agent: str | None) -> bytes:
    fields: dict[str, Any] = {name: value for name, value in shown(memory).items() if name not in _LEFT_OUT}
    fields |= {"helpful": memory.helpful, "unhelpful": memory.unhelpful, "agent": agent}
    return orjson.dumps({"type": "memory", **fields}, option=orjson.OPT_APPEND_NEWLINE)


def relation_line(relation: StoredRelation) -> bytes:
    return orjson.dumps(
        {
            "type": "relation",
            "memory_id": relation.memory_id,
            "kind": relation.kind,
            "other_id": relation.other_id,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def parse(line: bytes) -> MemoryLine | RelationLine:
    """Raises INVALID_JSON, VALIDATION_ERROR, which names the field and never its value, PAYLOAD_TOO_LARGE."""
    if len(line) > LONGEST_LINE:
        raise IbexError(ErrorCode.PAYLOAD_TOO_LARGE, f"The line is longer than {LONGEST_LINE:,} bytes.")
    strict_json.check(line)
    document = orjson.loads(line)
    if not isinstance(document, dict):
        raise IbexError(ErrorCode.INVALID_JSON, "The line is not a JSON object.")
    try:
        if document.get("type") == "relation":
            return _RELATION.validate_json(line)
        return _MEMORY.validate_json(line)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in problem["loc"]) or "line"
        raise invalid(field, f"`{field}`: {problem['msg']}.") from None
