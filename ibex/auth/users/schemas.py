"""What is sent and shown of users."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.auth.roles import Role
from ibex.auth.users.repository import User
from ibex.rest import Body, Cursor

Status = Literal["active", "suspended", "removed"]

_SENT: dict[str, JsonValue] = {"email": "ada@example.org", "name": "Ada Lovelace", "role": "member"}
_SHOWN: dict[str, JsonValue] = {
    "id": "01a20747-378d-70c7-a843-85766e82a988",
    **_SENT,
    "status": "active",
    "created_at": "2030-01-31T12:00:00Z",
    "updated_at": "2030-01-31T12:00:00Z",
}


class NewUser(Body):
    """A user to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SENT]})

    email: str = Field(max_length=320, description="Kept in small letters; unique in the organization.")
    name: str = Field("", description="At most 200 characters.")
    role: Role = Field("member", description="What the user's tokens may do at most.")


class UserChange(Body):
    """What is to change of a user; what is left out or null stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "viewer"}]})

    email: str | None = Field(None, max_length=320)
    name: str | None = None
    role: Role | None = None


class UserView(BaseModel):
    """A user."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    id: UUID
    email: str | None = Field(description="Null when the user was removed.")
    name: str
    role: Role
    status: Status
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        return cls.model_validate(user, from_attributes=True)


class UserQuery(Cursor):
    """Which users are wanted."""

    status: Status | None = Field(None, description="Only those; by default all but the removed ones.")
