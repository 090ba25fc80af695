"""What is shown of memories."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.errors import IbexError
from ibex.memory.memory import Kind, Memory, Status, Visibility
from ibex.memory.schemas import LabelBody
from ibex.memory.writing.detection import Finding
from ibex.memory.writing.written import Written

_ID = "01a20747-378d-70c7-a843-85766e82a988"
_AGENT_ID = "01a20747-2b1c-7f0e-9d53-3a4c1f2b6e70"
_SHOWN: dict[str, JsonValue] = {
    "id": _ID,
    "version": 1,
    "agent_id": _AGENT_ID,
    "user_id": "ada",
    "session_id": None,
    "turn_id": None,
    "role": None,
    "speaker": None,
    "trace_id": None,
    "visibility": "agent",
    "kind": "preference",
    "labels": [],
    "status": "active",
    "content": "Ada prefers tea to coffee.",
    "confidence": 1.0,
    "risk": 0.0,
    "pinned": False,
    "tags": ["drinks"],
    "metadata": {},
    "observed_at": "2030-01-31T12:00:00Z",
    "valid_from": None,
    "valid_until": None,
    "usefulness": 0.5,
    "uses": 0,
    "last_used_at": None,
    "is_embedded": True,
    "created_at": "2030-01-31T12:00:00Z",
    "updated_at": "2030-01-31T12:00:00Z",
}


class MemoryView(BaseModel):
    """A memory."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    id: UUID
    version: int
    agent_id: UUID
    user_id: str | None
    session_id: str | None
    turn_id: UUID | None
    role: str | None
    speaker: str | None
    trace_id: str | None
    visibility: Visibility
    kind: Kind
    labels: list[LabelBody]
    status: Status
    content: str
    confidence: float
    risk: float = Field(description="Of an attempt to instruct a model, between 0 and 1.")
    pinned: bool
    tags: list[str]
    metadata: dict[str, Any]
    observed_at: datetime
    valid_from: datetime | None
    valid_until: datetime | None
    usefulness: float = Field(description="What feedback says, between 0 and 1; 0.5 before there is any.")
    uses: int
    last_used_at: datetime | None
    is_embedded: bool = Field(description="Whether it can be found by its meaning already.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, memory: Memory) -> Self:
        return cls.model_validate(shown(memory))


class FindingView(BaseModel):
    """Something that was found in the text; offsets count characters of the text as it came."""

    category: str = Field(description="`secret`, `pii` or `injection`.")
    kind: str
    rule: str
    severity: str
    start: int
    end: int

    @classmethod
    def of(cls, finding: Finding) -> Self:
        return cls(
            category=finding.category.value,
            kind=finding.kind,
            rule=finding.rule,
            severity=finding.severity.name.lower(),
            start=finding.start,
            end=finding.end,
        )


class WrittenView(MemoryView):
    """A memory as it was stored, and what was done on the way."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**_SHOWN, "outcome": "created", "detected": [], "superseded": [], "conflicts": []}]
        }
    )

    outcome: Literal["created", "quarantined"]
    detected: list[FindingView] = Field(description="Secrets, personal data, attempts to instruct a model.")
    superseded: list[UUID] = Field(description="Memories whose place it takes.")
    conflicts: list[UUID] = Field(description="Memories that it contradicts, undecided.")

    @classmethod
    def of_written(cls, written: Written) -> Self:
        return cls.model_validate(
            {
                **shown(written.memory),
                "outcome": written.outcome,
                "detected": [FindingView.of(finding) for finding in written.findings],
                "superseded": written.superseded,
                "conflicts": written.conflicts,
            }
        )


class CorrectedView(MemoryView):
    """A memory after a correction, and what was found in its new text."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_SHOWN, "version": 2, "detected": []}]})

    detected: list[FindingView]

    @classmethod
    def of_corrected(cls, memory: Memory, findings: Sequence[Finding]) -> Self:
        return cls.model_validate(
            {**shown(memory), "detected": [FindingView.of(finding) for finding in findings]}
        )


class FailureView(BaseModel):
    code: str
    message: str
    param: str | None
    detail: str | None

    @classmethod
    def of(cls, error: IbexError) -> Self:
        return cls(code=error.code, message=error.message, param=error.param, detail=error.detail)


class BulkResult(BaseModel):
    """What became of one of many, in their order: `memory` or `error`, as its status says."""

    status: int = Field(description="As if it had come alone: 201, 202, 400, 409, …")
    memory: WrittenView | None = None
    error: FailureView | None = None

    @classmethod
    def of(cls, answer: Written | IbexError) -> Self:
        if isinstance(answer, IbexError):
            return cls(status=answer.status, error=FailureView.of(answer))
        return cls(status=status_of(answer), memory=WrittenView.of_written(answer))


class BulkView(BaseModel):
    results: list[BulkResult]


def status_of(written: Written) -> int:
    return 201 if written.outcome == "created" else 202


def shown(memory: Memory) -> Mapping[str, Any]:
    """The fields of a memory that are shown."""
    provenance = memory.provenance
    return {
        "id": memory.id,
        "version": memory.version,
        "agent_id": memory.agent_id,
        "user_id": memory.user_id,
        "session_id": memory.session_id,
        "turn_id": provenance.turn_id,
        "role": provenance.role,
        "speaker": provenance.speaker,
        "trace_id": provenance.trace_id,
        "visibility": memory.visibility,
        "kind": memory.kind,
        "labels": [{"name": label.name, "confidence": label.confidence} for label in memory.labels],
        "status": memory.status,
        "content": memory.content,
        "confidence": memory.confidence,
        "risk": memory.risk,
        "pinned": memory.pinned,
        "tags": list(memory.tags),
        "metadata": dict(memory.metadata),
        "observed_at": memory.observed_at,
        "valid_from": memory.valid_from,
        "valid_until": memory.valid_until,
        "usefulness": memory.usefulness,
        "uses": memory.uses,
        "last_used_at": memory.last_used_at,
        "is_embedded": memory.is_embedded,
        "created_at": memory.created_at,
        "updated_at": memory.updated_at,
    }
