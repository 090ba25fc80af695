"""What is sent and shown of tokens."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.auth.names import invalid
from ibex.auth.permissions import Grant, Permission, PlatformRight, UnknownPermissionError, parse_grant
from ibex.auth.tokens.repository import Selection, State, TokenRecord
from ibex.auth.tokens.request import TokenRequest
from ibex.auth.tokens.service import LONGEST_OVERLAP, IssuedToken
from ibex.http import MOST_NETWORKS, Network, parse_networks
from ibex.rest import Body, Cursor

_AGENT = "01a20747-378d-70c7-a843-85766e82a988"
_SHOWN: dict[str, JsonValue] = {
    "id": "01a20747-40c1-7b1e-9f62-4d2ab5c0e7d3",
    "name": "support in production",
    "permissions": ["memory:read", "session:create", "session:read"],
    "state": "active",
    "agent_id": _AGENT,
    "default_agent_id": None,
    "user_id": None,
    "allowed_networks": ["10.0.0.0/8"],
    "created_by": "01a20746-0d5a-7c33-8b1f-6a9e2c4d8f10",
    "created_at": "2030-01-31T12:00:00Z",
    "expires_at": "2030-12-31T00:00:00Z",
    "revoked_at": None,
    "replaced_by": None,
}


class NewToken(Body):
    """A token to create. It can do no more than the token that creates it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "support in production",
                    "permissions": ["chat"],
                    "agent_id": _AGENT,
                    "expires_at": "2030-12-31T00:00:00Z",
                    "allowed_networks": ["10.0.0.0/8"],
                }
            ]
        }
    )

    name: str = Field(description="1 to 200 characters.")
    permissions: list[str] = Field(
        min_length=1,
        max_length=64,
        description="Such as `memory:read`. `chat` and `all` are sets; `all` has no `platform:` right.",
    )
    agent_id: UUID | None = Field(None, description="The only agent that the token may act for.")
    default_agent_id: UUID | None = Field(
        None, description="The agent of calls that name none; not together with `agent_id`."
    )
    user_id: UUID | None = Field(
        None,
        description="The user whose token it is. Left out: the user of the token that creates it. "
        "Another one, or null for nobody, needs `admin:users`.",
    )
    expires_at: datetime | None = Field(None, description="With a time zone; null for never.")
    allowed_networks: list[str] = Field(
        default_factory=list,
        max_length=MOST_NETWORKS,
        description="From where the token may be used, such as `10.0.0.0/8`; none: from anywhere.",
    )

    def request(self, own_user_id: UUID | None) -> TokenRequest:
        """Raises VALIDATION_ERROR for an unknown permission or a malformed network."""
        return TokenRequest(
            name=self.name,
            grant=_grant(self.permissions),
            agent_id=self.agent_id,
            default_agent_id=self.default_agent_id,
            user_id=self.user_id if "user_id" in self.model_fields_set else own_user_id,
            networks=_networks(self.allowed_networks),
            expires_at=self.expires_at,
        )


class Rotation(Body):
    """How a token is to be rotated."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_seconds": 86_400}]})

    overlap_seconds: int = Field(
        0,
        ge=0,
        le=int(LONGEST_OVERLAP.total_seconds()),
        description="For how long the old token goes on; 0 ends it at once.",
    )
    expires_at: datetime | None = Field(
        None, description="When the new token expires; null: when the old one did."
    )


class TokenQuery(Cursor):
    """Which tokens are wanted."""

    agent_id: UUID | None = Field(None, description="Only those that are bound to this agent.")
    user_id: UUID | None = Field(None, description="Only those of this user.")
    state: State | None = Field(None, description="Only those in this state.")

    def selection(self, token_id: UUID | None) -> Selection:
        return Selection(token_id, self.agent_id, self.user_id, self.state)


class TokenView(BaseModel):
    """A token, without its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    id: UUID
    name: str
    permissions: list[str]
    state: State
    agent_id: UUID | None
    default_agent_id: UUID | None
    user_id: UUID | None
    allowed_networks: list[str]
    created_by: UUID | None = Field(description="The token that created it; null: the machine itself.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: UUID | None = Field(description="The token that it was rotated to.")

    @classmethod
    def of(cls, record: TokenRecord) -> Self:
        return cls.model_validate(_fields(record))


class IssuedTokenView(TokenView):
    """A new token."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**_SHOWN, "token": "ibex_pat_01a20747-40c1-7b1e-9f62-4d2ab5c0e7d3_…"}]
        }
    )

    token: str = Field(description="What its holder sends. It is shown this once.", repr=False)

    @classmethod
    def issued(cls, token: IssuedToken) -> Self:
        return cls.model_validate({**_fields(token.record), "token": token.text})


def _fields(record: TokenRecord) -> dict[str, object]:
    grant = Grant(Permission(record.permissions), PlatformRight(record.platform))
    return {
        **asdict(record),
        "permissions": grant.labels(),
        "state": record.state(datetime.now(UTC)),
    }


def _grant(labels: list[str]) -> Grant:
    try:
        return parse_grant(labels)
    except UnknownPermissionError as error:
        raise invalid("permissions", str(error)) from None


def _networks(texts: list[str]) -> tuple[Network, ...]:
    try:
        return parse_networks(texts)
    except ValueError as error:
        raise invalid("allowed_networks", str(error)) from None
