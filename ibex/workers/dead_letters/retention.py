"""The end of dead letters that nobody has looked after."""

import logging
from datetime import timedelta

from ibex.auth.organizations.repository import next_organization
from ibex.storage import Postgres
from ibex.workers.dead_letters import repository

logger = logging.getLogger(__name__)


async def expire_dead_letters(postgres: Postgres, kept_for: timedelta, most: int) -> None:
    """Remove those of every organization that died longer ago, and the oldest of more than `most`."""
    org_id = None
    while (org_id := await next_organization(postgres, org_id)) is not None:
        expired = await repository.expire(postgres, org_id, kept_for, most)
        if expired:
            logger.warning("%d dead letters of organization %s have expired", expired, org_id)
