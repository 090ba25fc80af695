"""What an alert is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ibex.drift.comparison import Severity

AlertStatus = Literal["open", "acknowledged", "resolved", "false_alarm"]


@dataclass(frozen=True, slots=True)
class Alert:
    """That an agent behaves differently.

    Parameters
    ----------
    directive_number: of the version whose calls are different; 0 without a directive.
    features: what moved, as JSON of `Moved`, what moved most first.
    causes: what changed before, as JSON of `Cause`.
    first_call, found_call: the numbers of the first call that is different, and of the one that raised it,
        among the calls of the agent with this directive.
    suspended_agent: whether the agent was paused because of it.
    """

    id: UUID
    agent_id: UUID
    directive_number: int
    baseline_id: UUID
    severity: Severity
    features: Sequence[dict[str, Any]]
    causes: Sequence[dict[str, Any]]
    first_seen_at: datetime
    first_call: int
    found_call: int
    suspended_agent: bool
    status: AlertStatus
    created_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None
