"""What is sent of memories."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from ibex.auth.names import invalid
from ibex.memory.cursors import Position
from ibex.memory.lifecycle.patch import Patch
from ibex.memory.memory import Kind, Label, NewMemory, Provenance, Status, Visibility
from ibex.memory.repository.reads import Selection
from ibex.rest import Body

_SENT: dict[str, JsonValue] = {
    "agent_id": "support",
    "user_id": "ada",
    "content": "Ada prefers tea to coffee.",
    "category": "preference",
    "tags": ["drinks"],
}
AGENT = "The agent, by id or slug; not needed by a token that is bound to one."
KIND = "`factual`, `preference`, `behavioral`, `episodic` or `procedural`."
_METADATA = "Kept as it is; at most 16 KiB of JSON."


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("it lies between the years 1 and 9999") from None


# Without a time zone it is UTC.
Moment = Annotated[datetime, AfterValidator(_utc)]


class LabelBody(Body):
    name: str = Field(description="1 to 64 characters.")
    confidence: float = Field(1.0, description="Between 0 and 1.")


Labels = list[LabelBody | str] | dict[str, float]


class MemoryFields(Body):
    """What is to be remembered."""

    content: str = Field(description="The text, up to 100,000 characters.", repr=False)
    kind: str | None = Field(
        None, description=f"{KIND} Chosen by its labels and its session if left out, in that order."
    )
    category: str | None = Field(None, description="Another name for `kind`.")
    labels: Labels = Field(
        default_factory=list, description="What else it is: names, with a confidence each if you like."
    )
    confidence: float | None = Field(None, description="Between 0 and 1; 1 if left out.")
    user_id: str | None = Field(None, description="The end user that it is about. Nobody else's sees it.")
    session_id: str | None = Field(None, description="The conversation that it comes from.")
    observed_at: datetime | None = Field(None, description="When it was said or seen; now if left out.")
    valid_from: datetime | None = Field(
        None, description="Since when it holds; read from the text if left out."
    )
    valid_until: datetime | None = Field(None, description="Until when it holds.")
    visibility: str = Field(
        "agent", description="`agent`, `org` (all agents of the organization) or `session` (only there)."
    )
    tags: list[str] = Field(default_factory=list, description="At most 32, of 64 characters each.")
    pinned: bool = Field(False, description="Comes first where there is little room.")
    metadata: dict[str, Any] = Field(default_factory=dict, description=_METADATA, repr=False)
    role: str | None = Field(
        None, description="Of the turn that it was said in: `user`, `assistant`, …; else `metadata.role`."
    )
    speaker: str | None = Field(None, description="Who said it; else `metadata.speaker`.")
    turn_id: UUID | None = Field(None, description="The turn that it was said in.")
    trace_id: str | None = Field(None, description="The call that brought it.")

    def new_memory(self) -> NewMemory:
        """Raises VALIDATION_ERROR when `kind` and `category` differ."""
        return NewMemory(
            content=self.content,
            kind=kind_of(self.kind, self.category),
            labels=labels_of(self.labels),
            confidence=self.confidence,
            observed_at=self.observed_at,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            visibility=self.visibility,
            tags=self.tags,
            pinned=self.pinned,
            metadata=self.metadata,
            provenance=Provenance(self.turn_id, self.role, self.speaker, self.trace_id),
        )


class NewMemoryBody(MemoryFields):
    """A memory to write."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SENT]})

    agent_id: str | None = Field(None, description=AGENT)


class NewMemories(Body):
    """Up to a hundred memories to write, one after the other."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "agent_id": "support",
                    "user_id": "ada",
                    "memories": [
                        {"content": "Ada prefers tea to coffee."},
                        {"content": "Ada lives in Lyon.", "category": "factual"},
                    ],
                }
            ]
        }
    )

    agent_id: str | None = Field(None, description=AGENT)
    user_id: str | None = Field(None, description="For those that name none of their own.")
    session_id: str | None = Field(None, description="For those that name none of their own.")
    memories: list[NewMemoryBody] = Field(description="1 to 100.")


class MemoryPatch(Body):
    """What is to change of a memory; what is left out stays. A bound that is null is an open end."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": "Ada prefers green tea."}]})

    content: str | None = Field(None, description="Checked as that of a new memory.", repr=False)
    kind: str | None = Field(None, description=KIND)
    category: str | None = Field(None, description="Another name for `kind`.")
    labels: Labels | None = Field(None, description="Replaced as a whole.")
    confidence: float | None = Field(None, description="Between 0 and 1.")
    tags: list[str] | None = Field(None, description="Replaced as a whole.")
    pinned: bool | None = Field(None, description="Comes first where there is little room.")
    metadata: dict[str, Any] | None = Field(None, description=f"{_METADATA} Replaced as a whole.", repr=False)
    valid_from: datetime | None = Field(None, description="Since when it holds.")
    valid_until: datetime | None = Field(None, description="Until when it holds.")

    def patch(self) -> Patch:
        """Raises VALIDATION_ERROR when `kind` and `category` differ."""
        return Patch(
            content=self.content,
            kind=kind_of(self.kind, self.category),
            labels=None if self.labels is None else labels_of(self.labels),
            confidence=self.confidence,
            tags=self.tags,
            pinned=self.pinned,
            metadata=self.metadata,
            bounds={
                name: getattr(self, name)
                for name in ("valid_from", "valid_until")
                if name in self.model_fields_set
            },
        )


class ListQuery(Position):
    """Which memories are wanted. What is not given does not matter."""

    agent_id: str | None = Field(None, description=f"That wrote it. {AGENT}")
    user_id: str | None = Field(None, max_length=256, description="That it is about.")
    session_id: str | None = Field(None, max_length=64, description="That it comes from.")
    kind: Kind | None = Field(None, description=KIND)
    tag: str | None = Field(None, max_length=64, description="That it has.")
    visibility: Visibility | None = Field(None, description="`agent`, `org` or `session`.")
    pinned: bool | None = Field(None, description="Whether it is pinned.")
    min_confidence: float | None = Field(None, ge=0, le=1, description="The least confidence.")
    observed_from: Moment | None = Field(None, description="The first moment that counts.")
    observed_until: Moment | None = Field(None, description="The first moment that no longer counts.")
    status: Literal["active", "superseded", "merged", "archived", "deleted", "any"] = Field(
        "active",
        description="`any`: all but those deleted or in quarantine. `deleted` needs `memory:delete`.",
    )
    as_of: Moment | None = Field(
        None, description="What was live and held at that time, as it was then; not together with `status`."
    )

    def selection(self, agent_id: UUID | None) -> Selection:
        statuses: dict[str, tuple[Status, ...]] = {"any": ("active", "superseded", "merged", "archived")}
        return Selection(
            agent_id=agent_id,
            user_id=self.user_id,
            session_id=self.session_id,
            visibility=self.visibility,
            kind=self.kind,
            tag=self.tag,
            pinned=self.pinned,
            min_confidence=self.min_confidence,
            observed_from=self.observed_from,
            observed_until=self.observed_until,
            statuses=statuses.get(self.status, (self.status,)),  # type: ignore[arg-type]
            as_of=self.as_of,
        )


MemoriesQuery = Annotated[ListQuery, Query()]


def kind_of(kind: str | None, category: str | None) -> str | None:
    """Raises VALIDATION_ERROR when both are given and differ."""
    if kind is not None and category is not None and kind != category:
        raise invalid("category", "`category` is another name for `kind`: give one of them.")
    return category if kind is None else kind


def labels_of(labels: Labels) -> list[Label]:
    if isinstance(labels, dict):
        return [Label(name, confidence) for name, confidence in labels.items()]
    return [
        Label(label, 1.0) if isinstance(label, str) else Label(label.name, label.confidence)
        for label in labels
    ]
