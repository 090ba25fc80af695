"""What is sent and shown of agents."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.auth.agents.repository import Agent
from ibex.rest import Body

_SENT: dict[str, JsonValue] = {
    "name": "Support",
    "slug": "support",
    "description": "Answers customers on the web site.",
    "config": {"tone": "friendly"},
}
_SHOWN: dict[str, JsonValue] = {
    "id": "01a20747-378d-70c7-a843-85766e82a988",
    **_SENT,
    "status": "active",
    "created_at": "2030-01-31T12:00:00Z",
    "updated_at": "2030-01-31T12:00:00Z",
}
_CONFIG = "Kept as it is; at most 16 KiB of JSON."


class NewAgent(Body):
    """An agent to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SENT]})

    name: str = Field(description="1 to 200 characters.")
    slug: str | None = Field(
        None, description="Short name for headers and commands; made from the name if absent."
    )
    description: str = Field("", description="At most 2,000 characters.")
    config: dict[str, Any] = Field(default_factory=dict, description=_CONFIG)


class AgentChange(Body):
    """What is to change of an agent; what is left out or null stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"config": {"tone": "formal"}}]})

    name: str | None = Field(None, description="1 to 200 characters.")
    description: str | None = Field(None, description="At most 2,000 characters.")
    config: dict[str, Any] | None = Field(None, description=f"{_CONFIG} Replaced as a whole.")


class AgentView(BaseModel):
    """An agent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    id: UUID
    slug: str
    name: str
    description: str
    status: Literal["active", "paused"]
    config: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, agent: Agent) -> Self:
        return cls.model_validate(agent, from_attributes=True)
