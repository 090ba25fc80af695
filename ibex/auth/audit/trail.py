"""Events that have no transaction of their own, such as a limiter that had to count by itself."""

from collections.abc import Callable, Sequence
from itertools import groupby

from ibex.auth.audit.event import AuditEvent, record
from ibex.storage import Postgres
from ibex.storage.write_behind import WriteBehind


class AuditTrail(WriteBehind[AuditEvent]):
    """Written soon after they happened, an organization at a time."""

    def __init__(self, postgres: Postgres, *, dropped: Callable[[int], None]) -> None:
        async def write(events: Sequence[AuditEvent]) -> None:
            for org_id, group in groupby(sorted(events, key=lambda e: e.org_id), key=lambda e: e.org_id):
                async with postgres.transaction(org_id) as connection:
                    await record(connection, *group)

        super().__init__(write, dropped=dropped, capacity=10_000)
