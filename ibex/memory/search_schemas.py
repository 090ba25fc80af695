"""What is asked of a search, and what it answers."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.memory.memory import Kind
from ibex.memory.retrieval.hit import Components
from ibex.memory.schemas import AGENT, KIND, Moment
from ibex.memory.searching import Filters, Found, SearchAnswer, SearchQuery
from ibex.memory.views import MemoryView
from ibex.rest import Body

_QUERY = 10_000
_EXPLAINED: dict[str, JsonValue] = {
    "arms": {"lexical.text": {"score": 7.1, "rank": 1}},
    "matched_terms": ["tea"],
    "lexical": 2.1,
    "semantic": 1.8,
    "stated": 0.0,
    "speaker": 0.0,
    "time": 0.0,
    "relevance": 1.95,
    "recency": 0.9,
    "usefulness": 0.5,
    "confidence": 1.0,
    "use": 0.0,
}


class FiltersBody(Body):
    """Conditions that every result meets; what is left out does not matter."""

    kinds: list[Kind] | Kind = Field([], description=f"Any of these. {KIND}")
    tags: list[str] = Field([], description="Has each of these.")
    any_tags: list[str] = Field([], description="Has at least one of these.")
    labels: list[str] = Field([], description="Has at least one of these.")
    session_id: str | None = Field(None, description="Was said in this session.")
    observed_from: Moment | None = Field(None, description="The first moment that counts.")
    observed_until: Moment | None = Field(None, description="The first moment that no longer counts.")
    min_confidence: float | None = Field(None, ge=0, le=1, description="The least confidence.")
    pinned: bool | None = Field(None, description="Whether it is pinned.")

    def filters(self) -> Filters:
        return Filters(
            kinds=self.kinds if isinstance(self.kinds, list) else [self.kinds],
            tags_all=self.tags,
            tags_any=self.any_tags,
            labels=self.labels,
            session_id=self.session_id,
            observed_from=self.observed_from,
            observed_until=self.observed_until,
            min_confidence=self.min_confidence,
            pinned=self.pinned,
        )


class SearchBody(Body):
    """A question to the memories of an agent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"agent_id": "support", "user_id": "ada", "query": "What does she drink?"}]
        }
    )

    agent_id: str | None = Field(None, description=AGENT)
    user_id: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="The end user who is served; with none, only what is about nobody is found.",
    )
    session_id: str | None = Field(
        None, min_length=1, max_length=64, description="The conversation, for what only it may see."
    )
    query: str = Field(max_length=_QUERY, description="In words.", repr=False)
    limit: int = Field(10, ge=1, le=100, description="Most results.")
    filters: FiltersBody | None = None
    as_of: Moment | None = Field(None, description="Search what was known and held at that time.")
    explain: bool = Field(False, description="Say what each score is made of.")

    def search_query(self) -> SearchQuery:
        return SearchQuery(
            text=self.query,
            limit=self.limit,
            filters=Filters() if self.filters is None else self.filters.filters(),
            as_of=self.as_of,
            explain=self.explain,
        )


class ArmView(BaseModel):
    score: float
    rank: int


class ComponentsView(BaseModel):
    """What a score is made of."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXPLAINED]})

    arms: dict[str, ArmView] = Field(description="The raw score and rank that each key of each arm gave.")
    matched_terms: list[str] = Field(description="Stems that the text shares with the question.")
    lexical: float
    semantic: float | None
    stated: float
    speaker: float
    time: float
    relevance: float
    recency: float
    usefulness: float
    confidence: float
    use: float

    @classmethod
    def of(cls, components: Components) -> Self:
        return cls.model_validate(components, from_attributes=True)


class FoundView(BaseModel):
    """A result."""

    memory: MemoryView
    rank: int = Field(description="From 1.")
    score: float = Field(description="Orders the results of one search; those of two do not compare.")
    source: Literal["words", "meaning", "both", "context"] = Field(
        description="What connects it with the question."
    )
    explain: ComponentsView | None = None

    @classmethod
    def of(cls, found: Found) -> Self:
        return cls(
            memory=MemoryView.of(found.memory),
            rank=found.rank,
            score=found.score,
            source=found.source,
            explain=None if found.explain is None else ComponentsView.of(found.explain),
        )


class SearchView(BaseModel):
    """Results, best first."""

    results: Sequence[FoundView]
    degraded: str | None = Field(description="What the search had to do without, if anything.")

    @classmethod
    def of(cls, answer: SearchAnswer) -> Self:
        return cls(results=[FoundView.of(found) for found in answer.results], degraded=answer.degraded)
