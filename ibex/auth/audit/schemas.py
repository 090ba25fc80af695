"""What is asked for and shown of an audit."""

from typing import Annotated, Self

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from ibex.auth.audit.chain import Head, StoredEvent
from ibex.auth.audit.event import Outcome
from ibex.auth.audit.lines import shown
from ibex.auth.audit.repository import Selection

_LARGEST_NUMBER = 2**63 - 1
# No control characters, NUL among them, which no text in a database holds.
_TEXT = r"^[^\x00-\x1f]{1,200}$"

_EXAMPLE: dict[str, JsonValue] = {
    "number": 17,
    "org_id": "01999a3e-6a40-7b70-8d0c-1f2e3d4c5b6a",
    "id": "01999a3e-7c11-7a08-9f3b-5e4d3c2b1a09",
    "at": "2025-10-01T08:30:12.345678Z",
    "actor": "token:01999a3e-6b52-7c31-8e4f-0a1b2c3d4e5f",
    "action": "agent.pause",
    "target": "01999a3e-6c63-7d42-9f50-1b2c3d4e5f60",
    "outcome": "success",
    "request_id": "01999a3e-7c10-7f19-8a2b-3c4d5e6f7081",
    "address": "203.0.113.7",
    "detail": {},
    "previous_hash": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    "hash": "b1a43042fd30f61778887f9321be05e3108cc601de07a874737e0546b7077c88",
}


class Wanted(BaseModel):
    """Which events are wanted. What is not given does not matter."""

    model_config = ConfigDict(extra="forbid")

    action: str | None = Field(
        None, pattern=r"^[a-z_.]{1,100}$", description="How the action begins: `token.` or `agent.pause`."
    )
    actor: str | None = Field(None, pattern=_TEXT, description="`cli`, `system` or `token:<id>`.")
    outcome: Outcome | None = Field(None, description="How it went.")
    target: str | None = Field(None, pattern=_TEXT, description="What it was done to; mostly an id.")
    since: AwareDatetime | None = Field(None, description="The first moment that counts, with its zone.")
    until: AwareDatetime | None = Field(None, description="The first moment that no longer counts.")

    @property
    def selection(self) -> Selection:
        return Selection(self.action, self.actor, self.outcome, self.target, self.since, self.until)


class WantedPage(Wanted):
    """The same, page by page."""

    cursor: int | None = Field(
        None, ge=1, le=_LARGEST_NUMBER, description="`pagination.next_cursor` of the page before: a number."
    )
    limit: int = Field(50, ge=1, le=200, description="Most events in one answer.")


class WantedExport(Wanted):
    """The same, as one stream."""

    after: int = Field(
        0, ge=0, le=_LARGEST_NUMBER, description="Only events above this number: those that came since."
    )


PageOfAudit = Annotated[WantedPage, Query()]
ExportOfAudit = Annotated[WantedExport, Query()]


class EventView(BaseModel):
    """One event. Its fields, as they are spelled here, give its hash."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    number: int = Field(description="Its place in the organization's chain; the first is 1.")
    org_id: str
    id: str
    at: str = Field(description="By the database's clock, in UTC.", json_schema_extra={"format": "date-time"})
    actor: str = Field(description="`cli`, `system` or `token:<id>`.")
    action: str = Field(description="`noun.verb`.")
    target: str | None = Field(description="What it was done to; mostly an id.")
    outcome: str = Field(description="`success`, `refused` or `degraded`.")
    request_id: str | None
    address: str | None = Field(description="Where it came from.")
    detail: dict[str, JsonValue] | str = Field(
        description="An object; a text when something other than IBEX wrote it and spelled it in its own way."
    )
    previous_hash: str = Field(description="The hash of the event before.")
    hash: str = Field(description="SHA-256 of the hash before and of every field, in hexadecimal digits.")

    @classmethod
    def of(cls, event: StoredEvent) -> Self:
        return cls(**shown(event))


class HeadView(BaseModel):
    """Where the chain ends. Keep `head` where nobody who can change the database can change it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": 17,
                    "hash": _EXAMPLE["hash"],
                    "head": f"17:{_EXAMPLE['hash']}",
                }
            ]
        }
    )

    number: int = Field(description="How many events there are.")
    hash: str = Field(description="The hash of the last of them.")
    head: str = Field(description="Both, as `ibex audit verify --head` takes them.")

    @classmethod
    def of(cls, head: Head) -> Self:
        return cls(number=head.number, hash=head.hash, head=str(head))


EXAMPLE_LINE = '{"number":17,"org_id":"01999a3e-6a40-7b70-8d0c-1f2e3d4c5b6a","action":"agent.pause",…}\n'
