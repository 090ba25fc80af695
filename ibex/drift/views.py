"""What is shown of drift."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.drift.alert import Alert, AlertStatus
from ibex.drift.comparison import Severity
from ibex.drift.records import StoredBaseline
from ibex.drift.repository.fingerprints import StoredFingerprint

_AGENT_ID = "01a20747-2b1c-7f0e-9d53-3a4c1f2b6e70"
_MOVED: dict[str, JsonValue] = {
    "feature": "tools",
    "label": "(new)",
    "names": ["delete_account"],
    "before": 0.0,
    "after": 0.21,
    "magnitude": 0.34,
    "unit": "js_distance",
    "excess": 1.4,
    "severity": "medium",
}
_ALERT: dict[str, JsonValue] = {
    "id": "01a20747-378d-70c7-a843-85766e82a988",
    "agent_id": _AGENT_ID,
    "directive_number": 3,
    "baseline_id": "01a20747-1f00-7d7c-b7c1-2d3c4b5a6978",
    "severity": "medium",
    "status": "open",
    "features": [_MOVED],
    "causes": [{"kind": "directive", "value": "3", "at": "2030-01-31T11:58:00Z"}],
    "first_seen_at": "2030-01-31T12:00:00Z",
    "first_call": 4021,
    "found_call": 4080,
    "suspended_agent": False,
    "created_at": "2030-01-31T12:07:00Z",
    "acknowledged_by": None,
    "acknowledged_at": None,
    "closed_by": None,
    "closed_at": None,
}

_WATCHED: dict[str, JsonValue] = {
    "agent_id": _AGENT_ID,
    "directive_number": 3,
    "calls": 4080,
    "learns_from": 0,
    "baseline_id": "01a20747-1f00-7d7c-b7c1-2d3c4b5a6978",
    "baseline_directive_number": 3,
    "tolerance": {"latency": 1.15},
    "alert_id": None,
    "updated_at": "2030-01-31T12:07:00Z",
}
_BEHAVIOUR: dict[str, JsonValue] = {
    "id": "01a20747-1f00-7d7c-b7c1-2d3c4b5a6978",
    "agent_id": _AGENT_ID,
    "directive_number": 3,
    "numbers": {"latency": {"typical": 1096.2, "deviation": 0.6}},
    "shares": {"tools": {"(none)": 0.7, "search": 0.3}},
}
_FINGERPRINT: dict[str, JsonValue] = {
    **_BEHAVIOUR,
    "call": 4080,
    "calls": 100,
    "at": "2030-01-31T12:07:00Z",
    "distances": {"tools": 0.04},
}
_BASELINE: dict[str, JsonValue] = {
    **_BEHAVIOUR,
    "calls": 1000,
    "first_at": "2030-01-30T12:00:00Z",
    "last_at": "2030-01-31T09:00:00Z",
    "created_by": "system",
    "created_at": "2030-01-31T09:00:00Z",
}


class WatchedView(BaseModel):
    """An agent with one version of its directive."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WATCHED]})

    agent_id: UUID
    directive_number: int = Field(description="0 for calls without a directive.")
    calls: int = Field(description="Watched since the beginning.")
    learns_from: int = Field(description="Calls before the first that a baseline may be learned from.")
    baseline_id: UUID | None = Field(description="Null while the first baseline is learned.")
    baseline_directive_number: int | None = Field(
        description="Another version's until there are enough calls with this one."
    )
    tolerance: dict[str, float] = Field(description="By what thresholds are multiplied after false alarms.")
    alert_id: UUID | None = Field(description="The alert that is not settled.")
    updated_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls.model_validate(row)


class WatchedList(BaseModel):
    data: list[WatchedView]


class FingerprintView(BaseModel):
    """The last hundred calls in a few numbers."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FINGERPRINT]})

    id: UUID
    agent_id: UUID
    directive_number: int
    call: int = Field(description="The number of the last call in it.")
    calls: int
    at: datetime
    numbers: dict[str, dict[str, float]] = Field(
        description="Geometric mean of each, and the standard deviation of its logarithm."
    )
    shares: dict[str, dict[str, float]] = Field(description="Of the calls, by name.")
    distances: dict[str, float] = Field(description="From the baseline: Jensen-Shannon, 0 to 1.")

    @classmethod
    def of(cls, stored: StoredFingerprint) -> Self:
        return cls(
            id=stored.id,
            agent_id=stored.agent_id,
            directive_number=stored.directive_number,
            call=stored.call,
            calls=stored.calls,
            at=stored.at,
            **stored.data,
        )


class FingerprintList(BaseModel):
    data: list[FingerprintView]


class BaselineView(BaseModel):
    """What an agent is compared with."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BASELINE]})

    id: UUID
    agent_id: UUID
    directive_number: int
    calls: int
    first_at: datetime
    last_at: datetime
    created_by: str = Field(description="`system` when it was learned.")
    created_at: datetime
    numbers: dict[str, dict[str, float]] = Field(
        description="Geometric mean of each, and the standard deviation of its logarithm."
    )
    shares: dict[str, dict[str, float]] = Field(description="Of the calls, by name.")

    @classmethod
    def of(cls, stored: StoredBaseline) -> Self:
        numbers, shares = stored.baseline().described()
        return cls(
            id=stored.id,
            agent_id=stored.agent_id,
            directive_number=stored.directive_number,
            calls=stored.calls,
            first_at=stored.first_at,
            last_at=stored.last_at,
            created_by=stored.created_by,
            created_at=stored.created_at,
            numbers=numbers,
            shares=shares,
        )


class MovedView(BaseModel):
    """One feature that is different."""

    feature: str
    label: str | None = Field(description="The name that moved most; `(new)` and `(rare)` stand for several.")
    names: list[str] = Field(description="Names that the baseline does not have.")
    before: float
    after: float = Field(description="Typical value, or share of the calls.")
    magnitude: float
    unit: str = Field(description="`standard_deviations` of the logarithm, or `js_distance`.")
    excess: float = Field(description="Over the threshold, which is 1.")
    severity: Severity


class CauseView(BaseModel):
    """What changed shortly before, or with it."""

    kind: str = Field(
        description="`directive`, `model_served`, `provider_fingerprint`, `provider`, `client` or `memories`."
    )
    value: str
    at: datetime


class AlertView(BaseModel):
    """That an agent behaves differently."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ALERT]})

    id: UUID
    agent_id: UUID
    directive_number: int
    baseline_id: UUID
    severity: Severity
    status: AlertStatus
    features: list[MovedView]
    causes: list[CauseView]
    first_seen_at: datetime
    first_call: int
    found_call: int
    suspended_agent: bool
    created_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None

    @classmethod
    def of(cls, alert: Alert) -> Self:
        return cls.model_validate(alert, from_attributes=True)
