"""What is shown of directives."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.context.directives.directive import DirectiveEntry, InjectionMode, Rollout, Status
from ibex.context.directives.service import Comparison

_ID = "01a20747-378d-70c7-a843-85766e82a988"
_AGENT_ID = "01a20747-2b1c-7f0e-9d53-3a4c1f2b6e70"
_CONTENT = "You answer customers of a tea shop. Be brief.\n"
_ENTRY: dict[str, JsonValue] = {
    "id": _ID,
    "agent_id": _AGENT_ID,
    "number": 2,
    "sha256": "9bf24053803b14d4e17d97adc117d609bb7d18e3272276a4544aae791418c1bc",
    "size": 46,
    "mode": "system_first",
    "status": "active",
    "share": None,
    "kept_until": None,
    "change_summary": "Shorter answers.",
    "created_by": "token:01a20747-1f00-7d7c-b7c1-2d3c4b5a6978",
    "created_at": "2030-01-31T12:00:00Z",
    "activated_at": "2030-01-31T12:30:00Z",
    "ended_at": None,
    "revoked_at": None,
}
_SHOWN: dict[str, JsonValue] = {**_ENTRY, "content": _CONTENT}
_DIFF = "--- version 1\n+++ version 2\n@@ -1 +1 @@\n-Be brief.\n+Be friendly.\n"


class EntryView(BaseModel):
    """A version of a directive without its text."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENTRY]})

    id: UUID
    agent_id: UUID
    number: int = Field(description="1, 2, 3 … of its agent.")
    sha256: str = Field(description="Of the text in UTF-8.")
    size: int = Field(description="Bytes of the text in UTF-8.")
    mode: InjectionMode
    status: Status
    share: float | None = Field(description="Of the sessions that begin while it is being rolled out.")
    kept_until: datetime | None = Field(
        description="Until when sessions that have it keep it, although another one is active."
    )
    change_summary: str
    created_by: str
    created_at: datetime
    activated_at: datetime | None
    ended_at: datetime | None = Field(description="When another one took its place.")
    revoked_at: datetime | None

    @classmethod
    def of(cls, entry: DirectiveEntry) -> Self:
        return cls.model_validate(entry, from_attributes=True)


class DirectiveView(EntryView):
    """A version of a directive."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    content: str = Field(repr=False)


class RolloutView(BaseModel):
    """Which versions the sessions of an agent have."""

    agent_id: UUID
    active: EntryView | None
    candidate: EntryView | None = Field(description="The one that is being rolled out.")
    kept: list[EntryView] = Field(description="Earlier ones, for the sessions that have them.")

    @classmethod
    def of(cls, rollout: Rollout) -> Self:
        return cls(
            agent_id=rollout.agent_id,
            active=None if rollout.active is None else EntryView.of(rollout.active),
            candidate=None if rollout.candidate is None else EntryView.of(rollout.candidate),
            kept=[EntryView.of(each) for each in rollout.kept],
        )


class DifferenceView(BaseModel):
    """What a version says that another one does not."""

    before: EntryView | None = Field(description="Null for the first version of an agent.")
    after: EntryView
    added: int = Field(description="Lines.")
    removed: int = Field(description="Lines.")
    diff: str = Field(description="As `diff -u` prints it; empty when they say the same.", repr=False)

    @classmethod
    def of(cls, comparison: Comparison) -> Self:
        return cls(
            before=None if comparison.before is None else EntryView.of(comparison.before),
            after=EntryView.of(comparison.after),
            added=comparison.difference.added,
            removed=comparison.difference.removed,
            diff=comparison.difference.text,
        )
