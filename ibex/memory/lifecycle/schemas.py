"""What is sent and shown of the life of memories."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.memory.cursors import Position
from ibex.memory.lifecycle.posterior import Signal
from ibex.memory.memory import Kind, Status
from ibex.memory.repository.conflicts import ConflictStatus, StoredConflict
from ibex.memory.repository.erasure import Certificate
from ibex.memory.repository.reads import StoredVersion
from ibex.memory.schemas import AGENT
from ibex.rest import Body

_ID = "01a20747-378d-70c7-a843-85766e82a988"
_OTHER_ID = "01a20748-5b1e-7c55-b0f2-6f3d2c1b0a99"
_LARGEST = 2**31 - 1
_VERSION: dict[str, JsonValue] = {
    "version": 1,
    "content": "Ada prefers tea to coffee.",
    "kind": "preference",
    "status": "active",
    "confidence": 1.0,
    "pinned": False,
    "tags": ["drinks"],
    "metadata": {},
    "valid_from": None,
    "valid_until": None,
    "effective_from": "2030-01-31T12:00:00Z",
    "actor": "token:01999a3e-6b52-7c31-8e4f-0a1b2c3d4e5f",
    "action": "memory.create",
    "at": "2030-01-31T12:00:00Z",
}
_ERASED: dict[str, JsonValue] = {
    "memories": 1,
    "versions": 2,
    "vectors": 1,
    "labels": 0,
    "claims": 1,
    "feedback": 0,
    "relations": 0,
    "conflicts": 0,
}


class Feedback(Body):
    """Whether a memory helped."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"signal": "helpful"}]})

    signal: Signal
    weight: float = Field(1.0, description="How sure that is: above 0, at most 1.")
    source: str = Field("api", description="Who or what says so, in 1 to 63 characters.")


class Reversion(Body):
    """Which version is to become the newest again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 1}]})

    version: int = Field(ge=1, le=_LARGEST)


class Resolution(Body):
    """Which of two memories holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keep": _ID}]})

    keep: UUID | Literal["both"] = Field(
        description="The id of the one that takes the place of the other; `both` when they can both hold."
    )


class VersionsOf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: int = Field(0, ge=0, le=_LARGEST, description="`pagination.next_cursor` of the page before.")
    limit: int = Field(50, ge=1, le=200, description="Most versions in one answer.")


VersionsQuery = Annotated[VersionsOf, Query()]


class ConflictsOf(Position):
    agent_id: str | None = Field(None, description=AGENT)
    status: ConflictStatus = Field("open", description="`open` or `resolved`.")


ConflictsQuery = Annotated[ConflictsOf, Query()]


class QuarantineOf(Position):
    agent_id: str | None = Field(None, description=AGENT)


QuarantineQuery = Annotated[QuarantineOf, Query()]


class VersionView(BaseModel):
    """A memory as it was from some time on."""

    model_config = ConfigDict(json_schema_extra={"examples": [_VERSION]})

    version: int
    content: str
    kind: Kind
    status: Status
    confidence: float
    pinned: bool
    tags: list[str]
    metadata: dict[str, Any]
    valid_from: datetime | None
    valid_until: datetime | None
    effective_from: datetime = Field(description="From when on `as_of` shows it.")
    actor: str = Field(description="`cli`, `system` or `token:<id>`.")
    action: str = Field(description="What made it, such as `memory.update`.")
    at: datetime = Field(description="When it was written.")

    @classmethod
    def of(cls, version: StoredVersion) -> Self:
        return cls.model_validate(version, from_attributes=True)


class ConflictView(BaseModel):
    """Two memories that cannot both hold."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01a2074a-11c0-7d0b-9c7e-2a4b6c8d0e1f",
                    "memory_id": _ID,
                    "other_id": _OTHER_ID,
                    "reason": "They say different things of the same time, and nothing tells which holds.",
                    "status": "open",
                    "created_at": "2030-01-31T12:00:00Z",
                    "resolved_at": None,
                }
            ]
        }
    )

    id: UUID
    memory_id: UUID = Field(description="The later one.")
    other_id: UUID
    reason: str
    status: ConflictStatus
    created_at: datetime
    resolved_at: datetime | None

    @classmethod
    def of(cls, conflict: StoredConflict) -> Self:
        return cls.model_validate(conflict, from_attributes=True)


class CertificateView(BaseModel):
    """What was erased for good, without any of it. It is kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01a2074b-2f3e-7a1c-8d9b-4c5d6e7f8091",
                    "memory_id": _ID,
                    "memory_ids": [_ID],
                    "actor": "token:01999a3e-6b52-7c31-8e4f-0a1b2c3d4e5f",
                    "at": "2030-01-31T12:00:00Z",
                    "erased": _ERASED,
                }
            ]
        }
    )

    id: UUID
    memory_id: UUID
    memory_ids: list[UUID] = Field(
        description="All that went: this one, what was merged into it, and what was derived from them."
    )
    actor: str
    at: datetime
    erased: Mapping[str, int] = Field(description="How many of each.")

    @classmethod
    def of(cls, certificate: Certificate) -> Self:
        return cls.model_validate(certificate, from_attributes=True)
