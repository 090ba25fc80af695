"""What is asked for and shown of dead letters."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.rest import Cursor
from ibex.workers.dead_letters.letter import DeadLetter

_SHOWN: dict[str, JsonValue] = {
    "id": "01a20747-378d-70c7-a843-85766e82a988",
    "name": "turn.capture",
    "job_id": ("turn.capture:01a20747-1f00-7d7c-b7c1-2d3c4b5a6978:01a20747-2b1c-7f0e-9d53-3a4c1f2b6e70"),
    "keys": ["lesson", "org_id"],
    "size": 1830,
    "tries": 4,
    "error": "DatabaseUnavailableError",
    "first_failed_at": "2030-01-31T12:00:00Z",
    "died_at": "2030-01-31T12:01:51Z",
}


class ListQuery(Cursor):
    """Which dead letters are wanted."""

    name: str | None = Field(None, max_length=100, description="The name of the job, such as `turn.capture`.")


class DeadLetterView(BaseModel):
    """A job that was given up. What is in its payload is not shown: it may be what somebody said."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    id: UUID
    name: str
    job_id: str
    keys: list[str] = Field(description="The names of what is in the payload.")
    size: int | None = Field(description="Bytes of the payload; null when it could not be read.")
    tries: int
    error: str = Field(
        description="The type of what went wrong. `UnknownJob`: no worker knows such a job; `WorkerDied`: "
        "under it, again and again; `UnreadablePayload`."
    )
    first_failed_at: datetime
    died_at: datetime

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        return cls.model_validate(letter, from_attributes=True)


DeadLettersQuery = Annotated[ListQuery, Query()]
