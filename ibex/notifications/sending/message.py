"""One event, as it is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson


@dataclass(frozen=True, slots=True)
class Message:
    """An event and whom it is for.

    Parameters
    ----------
    secrets: what it is signed with, the newest first; a mail is not signed.
    """

    org_id: UUID
    url: str = field(repr=False)
    event_id: UUID
    type: str
    at: datetime
    data: Mapping[str, Any] = field(repr=False)
    secrets: Sequence[str] = field(repr=False)

    def body(self) -> bytes:
        """JSON, byte for byte the same for every attempt."""
        return orjson.dumps(
            {"type": self.type, "timestamp": self.at, "org_id": self.org_id, "data": self.data},
            option=orjson.OPT_UTC_Z,
        )
