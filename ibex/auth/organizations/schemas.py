"""What is sent and shown of organizations."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

from ibex.auth.organizations.founding import Founded
from ibex.auth.organizations.repository import Choices, Organization
from ibex.rest import Body

MemoryPii = Literal["allow", "redact", "quarantine"]

_ID = "01a20747-2c0b-7d51-b6a4-93f01e5c7a22"
_SHOWN: dict[str, JsonValue] = {
    "id": _ID,
    "slug": "search",
    "name": "Search team",
    "status": "active",
    "allows_caller_keys": False,
    "memory_pii": "redact",
    "memory_capture": True,
    "store_content": False,
    "content_days": 90,
    "created_at": "2030-01-31T12:00:00Z",
    "delete_after": None,
}


class NewOrganization(Body):
    """An organization to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Search team", "slug": "search", "owner_email": "ada@example.org"}]
        }
    )

    name: str = Field(description="1 to 200 characters.")
    slug: str | None = Field(None, description="Short name for commands; made from the name if absent.")
    owner_email: str | None = Field(
        None, max_length=320, description="Of its first user, an owner, whose token the first one is."
    )


class OrganizationChange(Body):
    """What is to change of an organization; what is left out or null stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Search and ranking"}]})

    name: str | None = Field(None, description="1 to 200 characters.")
    allows_caller_keys: StrictBool | None = Field(
        None, description="Whether a call may bring a provider key of its own."
    )
    memory_pii: MemoryPii | None = Field(
        None, description="What is done with a memory that holds personal data."
    )
    memory_capture: StrictBool | None = Field(
        None, description="Whether what is said to its agents, and answered, is remembered."
    )
    store_content: StrictBool | None = Field(
        None, description="Whether what is said in sessions is kept as it was said, and archived."
    )
    content_days: int | None = Field(
        None, ge=1, le=3_650, description="For how many days, unless the installation keeps it for fewer."
    )

    def choices(self) -> Choices:
        return Choices(**self.model_dump())


class OrganizationView(BaseModel):
    """An organization."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    id: UUID
    slug: str
    name: str
    status: Literal["active", "suspended", "deleting"]
    allows_caller_keys: bool
    memory_pii: MemoryPii
    memory_capture: bool
    store_content: bool
    content_days: int
    created_at: datetime
    delete_after: datetime | None = Field(description="When it is erased, if it is being deleted.")

    @classmethod
    def of(cls, organization: Organization) -> Self:
        return cls.model_validate(organization, from_attributes=True)


class FoundedView(OrganizationView):
    """A new organization, with what it needs for its first call."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_SHOWN,
                    "agent_id": "01a20747-378d-70c7-a843-85766e82a988",
                    "owner_id": "01a20747-3a02-7f6e-8d15-0b7c4e9a6f31",
                    "token_id": "01a20747-40c1-7b1e-9f62-4d2ab5c0e7d3",
                    "token": "ibex_pat_01a20747-40c1-7b1e-9f62-4d2ab5c0e7d3_…",
                }
            ]
        }
    )

    agent_id: UUID = Field(description="Its first agent, `default`.")
    owner_id: UUID | None = Field(description="Its first user, if one was named.")
    token_id: UUID
    token: str = Field(
        description="May do everything in the organization. It is shown this once.", repr=False
    )

    @classmethod
    def founded(cls, founded: Founded) -> Self:
        organization = OrganizationView.of(founded.organization)
        return cls(
            **organization.model_dump(),
            agent_id=founded.agent_id,
            owner_id=founded.owner_id,
            token_id=founded.token.record.id,
            token=founded.token.text,
        )
