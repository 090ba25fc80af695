"""How long fingerprints are kept."""

from datetime import timedelta

from ibex.auth.organizations.repository import next_organization
from ibex.drift.repository import fingerprints
from ibex.storage import Postgres


async def forget_fingerprints(postgres: Postgres, older_than: timedelta) -> None:
    """Remove those of every organization that are older, some thousands of each at a time."""
    org_id = await next_organization(postgres, None)
    while org_id is not None:
        await fingerprints.forget(postgres, org_id, older_than)
        org_id = await next_organization(postgres, org_id)
