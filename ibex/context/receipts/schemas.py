"""What is shown of receipts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.context.directives import InjectionMode
from ibex.context.receipts.receipt import DirectiveGiven, LeftOut, Receipt, Rung, Source

_ID = "01a20747-50c2-7a10-8d21-5f0b6c9e1a34"
_MEMORY: dict[str, JsonValue] = {
    "memory_id": "01a20747-378d-70c7-a843-85766e82a988",
    "kind": "episodic",
    "source": "search",
    "rank": 1,
    "score": 1.21,
    "components": {"relevance": 1.95, "recency": 0.9, "usefulness": 0.5, "confidence": 1.0, "use": 0.0},
    "tokens": 24,
    "included": False,
    "reason": "budget",
    "content": "I drink green tea every morning.",
}
EXAMPLE: dict[str, JsonValue] = {
    "id": _ID,
    "trace_id": "01a2074750c27a108d215f0b6c9e1a34",
    "agent_id": "01a20747-2b1c-7f0e-9d53-3a4c1f2b6e70",
    "user_id": "ada",
    "session_id": "tuesday",
    "at": "2030-01-31T12:00:00Z",
    "model": "gpt-4o-mini",
    "rung": "complete",
    "degraded": "The embedding model did not answer in time: memories were found by their words alone.",
    "directive": {
        "id": "01a20747-6a01-7c55-9b2e-1d4f8a7c3e90",
        "number": 3,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "mode": "system_first",
    },
    "memories": [_MEMORY],
    "tokens": {
        "window": 128000,
        "reserve": 4096,
        "margin": 12800,
        "directive": 120,
        "notice": 45,
        "messages": 310,
        "is_exact": False,
        "available": 1000,
        "memories": 0,
    },
    "timings_ms": {"directive": 0.02, "retrieval": 6.1, "packing": 0.4, "all": 7.0},
}


class ConsideredView(BaseModel):
    """A memory that could have been told."""

    memory_id: UUID | None = Field(description="None for what was said a moment ago and is not stored yet.")
    kind: str
    source: Source
    rank: int = Field(description="From 1, by score.")
    score: float
    components: Mapping[str, float] = Field(description="What the score is made of.")
    tokens: int
    included: bool
    reason: LeftOut | None = Field(description="Why it was left out.")
    content: str | None = Field(
        description="What it said, for who may read memories; null once it has been deleted.", repr=False
    )


class DirectiveGivenView(BaseModel):
    """The version of the directive that was told."""

    id: UUID
    number: int
    sha256: str
    mode: InjectionMode

    @classmethod
    def of(cls, given: DirectiveGiven) -> Self:
        return cls.model_validate(given, from_attributes=True)


class TokenSplitView(BaseModel):
    """Tokens by part, and what there was room for."""

    window: int
    reserve: int = Field(description="Kept for the answer.")
    margin: int
    directive: int
    notice: int = Field(description="Of the sentence that says how memories are marked.")
    messages: int = Field(description="The client's own.")
    is_exact: bool = Field(description="Whether those were counted; else they are estimated.")
    available: int = Field(description="For memories.")
    memories: int


class ReceiptView(BaseModel):
    """What a call was told beside what its client sent, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: UUID = Field(description="The request's, as in `X-Request-ID`.")
    trace_id: str
    agent_id: UUID
    user_id: str | None
    session_id: str | None
    at: datetime
    model: str
    rung: Rung = Field(description="How much of its context the call got.")
    degraded: str | None = Field(description="What retrieval had to do without, if anything.")
    directive: DirectiveGivenView | None
    memories: list[ConsideredView] = Field(description="All that were considered, the best first.")
    tokens: TokenSplitView
    timings_ms: Mapping[str, float]

    @classmethod
    def of(cls, receipt: Receipt, texts: Mapping[UUID, str]) -> Self:
        return cls(
            id=receipt.id,
            trace_id=receipt.trace_id,
            agent_id=receipt.agent_id,
            user_id=receipt.user_id,
            session_id=receipt.session_id,
            at=receipt.at,
            model=receipt.model,
            rung=receipt.rung,
            degraded=receipt.degraded,
            directive=None if receipt.directive is None else DirectiveGivenView.of(receipt.directive),
            memories=[
                ConsideredView(
                    memory_id=each.memory_id,
                    kind=each.kind,
                    source=each.source,
                    rank=each.rank,
                    score=each.score,
                    components=each.components,
                    tokens=each.tokens,
                    included=each.reason is None,
                    reason=each.reason,
                    content=None if each.memory_id is None else texts.get(each.memory_id),
                )
                for each in receipt.considered
            ],
            tokens=TokenSplitView.model_validate(receipt.tokens, from_attributes=True),
            timings_ms=receipt.timings,
        )
