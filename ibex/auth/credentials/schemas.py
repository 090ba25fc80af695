"""What is sent and shown of provider credentials."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ibex.auth.credentials.repository import Credential
from ibex.rest import Body


class NewCredential(Body):
    """A key that is to be used at a provider."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"api_key": "sk-proj-0123456789abcdefa1b2"}]})

    api_key: SecretStr = Field(
        description="8 to 512 printable ASCII characters, no spaces. Never shown again."
    )


class CredentialView(BaseModel):
    """That there is a key, and which one it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "provider": "openai",
                    "hint": "…a1b2",
                    "created_at": "2030-01-31T12:00:00Z",
                    "updated_at": "2030-01-31T12:00:00Z",
                }
            ]
        }
    )

    provider: str
    hint: str = Field(description="The end of the key, such as `…a1b2`; `…` alone for a short one.")
    created_at: datetime
    updated_at: datetime = Field(description="When the key was last replaced.")

    @classmethod
    def of(cls, credential: Credential) -> Self:
        return cls(
            provider=credential.provider,
            hint=credential.hint,
            created_at=credential.created_at,
            updated_at=credential.updated_at,
        )
