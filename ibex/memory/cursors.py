"""Where the next page of a list begins, in a form that only the list which gave it takes back."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ibex.auth.actor import Actor
from ibex.auth.names import invalid

_ID = 16
# Bytes. A slip of the pen is to be found out; whoever makes one up sees nothing that is not theirs anyway.
_CHECK = 5
_REFUSED = (
    "That is no cursor of this list. Send `pagination.next_cursor` of the page before as it is, to the same "
    "list of the same organization, or leave it out to begin at the start."
)


class Position(BaseModel):
    """Which part of a list is wanted."""

    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(None, description="`pagination.next_cursor` of the page before.")
    limit: int = Field(50, ge=1, le=200, description="Most resources in one answer.")


@dataclass(frozen=True, slots=True)
class Cursors:
    """The cursors of one list of one organization.

    Parameters
    ----------
    name: of the list.
    """

    name: str
    org_id: UUID

    @classmethod
    def of(cls, actor: Actor, name: str) -> "Cursors":
        return cls(name, actor.org_id)

    def after(self, last: UUID) -> str:
        """The cursor of the page behind a resource."""
        return base64.urlsafe_b64encode(last.bytes + self._check(last.bytes)).decode().rstrip("=")

    def position(self, cursor: str | None) -> UUID | None:
        """The resource that a page begins behind. Raises VALIDATION_ERROR for no cursor of this list."""
        if cursor is None:
            return None
        try:
            content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise invalid("cursor", _REFUSED) from None
        last = content[:_ID]
        if content != last + self._check(last) or cursor != self.after(UUID(bytes=last)):
            raise invalid("cursor", _REFUSED)
        return UUID(bytes=last)

    def _check(self, last: bytes) -> bytes:
        whole = self.name.encode() + self.org_id.bytes + last
        return hashlib.blake2b(whole, digest_size=_CHECK).digest()
