"""The end of the log: deliveries that were over long ago are forgotten."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from ibex.auth.organizations.repository import next_organization
from ibex.notifications.repository import deliveries
from ibex.storage import Postgres

# Rows of one transaction; their attempts go with them.
_BATCH = 1_000


class DeliveryRetention:
    """Forgets the deliveries of every organization that were over before a time."""

    def __init__(self, postgres: Postgres, kept: timedelta, clock: Callable[[], datetime]) -> None:
        self._postgres = postgres
        self._kept = kept
        self._clock = clock

    async def run(self) -> None:
        before = self._clock() - self._kept
        org_id: UUID | None = None
        while (org_id := await next_organization(self._postgres, org_id)) is not None:
            while await deliveries.forget(self._postgres, org_id, before, _BATCH) == _BATCH:
                continue
