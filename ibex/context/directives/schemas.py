"""What is sent of directives."""

from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field, JsonValue

from ibex.context.directives.directive import Status
from ibex.rest import Body, Cursor

_SENT: dict[str, JsonValue] = {
    "agent_id": "support",
    "content": "You answer customers of a tea shop. Be brief.\n",
    "mode": "system_first",
    "change_summary": "Shorter answers.",
}
_AGENT = "The agent, by id or slug; not needed by a token that is bound to one."


class NewDirective(Body):
    """A version to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SENT]})

    agent_id: str | None = Field(None, description=_AGENT)
    content: str = Field(description="The text, kept as it is; 32 KiB of UTF-8 at most.", repr=False)
    mode: str = Field(
        "system_first",
        description="Where it stands: `system_first` before the client's own system message, `system_append` "
        "behind it, `user_prepend` before the first message of the user.",
    )
    change_summary: str | None = Field(
        None, description="At most 2,000 characters; how many lines have changed if left out.", repr=False
    )
    submit: bool = Field(False, description="Begin in review and not as a draft.")


class Promotion(Body):
    """To whom a version goes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"share": 0.1}]})

    share: float = Field(
        1.0,
        description="Of the sessions that begin, from 0 to 1; below 1 it is rolled out, 1 makes it active.",
    )
    at_once: bool = Field(
        False, description="Running sessions change too; else they keep for a day the version that they have."
    )


class Rollback(Body):
    """Which version is to be active again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"agent_id": "support", "to": 1}]})

    agent_id: str | None = Field(None, description=_AGENT)
    to: int | None = Field(
        None, ge=1, le=2**31 - 1, description="The number of a version; the last one before if left out."
    )


class ListQuery(Cursor):
    """Which versions are wanted."""

    agent_id: str | None = Field(None, description=f"Whose. {_AGENT} All agents if left out by any other.")
    status: Status | None = Field(None, description="`draft`, `review`, `active`, `deprecated` or `revoked`.")


DirectivesQuery = Annotated[ListQuery, Query()]
AgentQuery = Annotated[str | None, Query(description=_AGENT)]
