"""What is sent about drift."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import Query
from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from ibex.drift.alert import AlertStatus
from ibex.drift.comparison import Severity
from ibex.rest import Body, Cursor

_AGENT = "The agent, by id or slug; not needed by a token that is bound to one."
_DIRECTIVE = "The number of a version of its directive; 0 for calls without one."


class NewBaseline(Body):
    """Which calls an agent is compared with from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"agent_id": "support", "calls": 1000}]})

    agent_id: str | None = Field(None, description=_AGENT)
    directive_number: int = Field(0, ge=0, le=2**31 - 1, description=_DIRECTIVE)
    calls: int | None = Field(None, ge=200, le=3_000, description="The last calls.")
    since: AwareDatetime | None = Field(None, description="Or those from this time on …")
    until: AwareDatetime | None = Field(None, description="… and up to this time; of the last 3,000 calls.")

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        times: list[datetime | None] = [self.since, self.until]
        if (self.calls is None) == (times == [None, None]):
            raise ValueError("say either how many `calls`, or `since` or `until` when")
        return self


class Reset(Body):
    """Whose baseline is to be learned anew."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"agent_id": "support"}]})

    agent_id: str | None = Field(None, description=_AGENT)
    directive_number: int = Field(0, ge=0, le=2**31 - 1, description=_DIRECTIVE)


class Resolution(Body):
    """What becomes of what was alerted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"accept": False}]})

    accept: bool = Field(
        False,
        description="The agent is to behave as it does now: learn a baseline from the first call on that was "
        "different. Else it is watched against the same baseline.",
    )


class AgentListQuery(Cursor):
    agent_id: str | None = Field(None, description=f"Whose. {_AGENT} All agents if left out by any other.")


class FingerprintQuery(Cursor):
    agent_id: str | None = Field(None, description=f"Whose. {_AGENT}")
    directive_number: int | None = Field(None, ge=0, le=2**31 - 1, description=_DIRECTIVE)


class AlertQuery(AgentListQuery):
    status: AlertStatus | None = Field(
        None, description="`open`, `acknowledged`, `resolved` or `false_alarm`."
    )
    severity: Severity | None = Field(None, description="`low`, `medium` or `high`.")


OptionalAgent = Annotated[str | None, Query(description=f"Whose. {_AGENT}")]
BaselinesQuery = Annotated[AgentListQuery, Query()]
FingerprintsQuery = Annotated[FingerprintQuery, Query()]
AlertsQuery = Annotated[AlertQuery, Query()]
