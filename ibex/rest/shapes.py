"""The shapes that all answers share."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")
View = TypeVar("View", bound=BaseModel)


class Body(BaseModel):
    """What a client sends. A field that does not exist is a mistake, and is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Single(BaseModel, Generic[View]):
    """One resource."""

    data: View


class Pagination(BaseModel):
    has_more: bool
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


class Page(BaseModel, Generic[View]):
    """Some resources of a list, in the order of their creation."""

    data: list[View]
    pagination: Pagination


class Cursor(BaseModel):
    """Which part of a list is wanted."""

    model_config = ConfigDict(extra="forbid")

    cursor: UUID | None = Field(None, description="`pagination.next_cursor` of the page before.")
    limit: int = Field(50, ge=1, le=200, description="Most resources in one answer.")


PageQuery = Annotated[Cursor, Query()]


def paginated(
    items: Sequence[Item], limit: int, view: Callable[[Item], View], key: Callable[[Item], object]
) -> Page[View]:
    """A page of at most `limit`; `items` has one more when there is a next page."""
    has_more = len(items) > limit
    shown = items[:limit]
    return Page(
        data=[view(item) for item in shown],
        pagination=Pagination(has_more=has_more, next_cursor=str(key(shown[-1])) if has_more else None),
    )
