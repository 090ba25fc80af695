"""What is sent and shown of agents."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.auth.agents.repository import Agent
from ibex.rest import Body

_EXAMPLE: dict[str, JsonValue] = {
    "name": "Support",
    "slug": "support",
    "description": "Answers customers on the web site.",
    "config": {},
}


class NewAgent(Body):
    """An agent to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str = Field(description="1 to 200 characters.")
    slug: str | None = Field(
        None, description="Short name for headers and commands; made from the name if absent."
    )
    description: str = Field("", description="At most 2,000 characters.")
    config: dict[str, Any] = Field(default_factory=dict, description="Kept as it is.")


class AgentView(BaseModel):
    """An agent."""

    id: UUID
    slug: str
    name: str
    description: str
    status: str = Field(description="`active` or `paused`.")
    config: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, agent: Agent) -> Self:
        return cls(
            id=agent.id,
            slug=agent.slug,
            name=agent.name,
            description=agent.description,
            status=agent.status,
            config=agent.config,
            created_at=agent.created_at,
            updated_at=agent.updated_at,
        )
