"""How long it is known what an organization was told of its limits."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from ibex.auth.limits import repository
from ibex.auth.organizations.repository import next_organization
from ibex.storage import Postgres

# Two months, so that nothing of a month that goes on is forgotten, and told again.
_KEPT: Final = timedelta(days=62)
# Rows of one transaction.
_BATCH: Final = 1_000


async def forget_notices(postgres: Postgres) -> None:
    """Remove those of every organization that are older, some at a time."""
    org_id: UUID | None = None
    while (org_id := await next_organization(postgres, org_id)) is not None:
        while await repository.forget_notices(postgres, org_id, _KEPT, _BATCH) == _BATCH:
            continue
