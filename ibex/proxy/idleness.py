"""Sessions that nobody goes on with end by themselves."""

import logging
from datetime import timedelta

from ibex.proxy import repository
from ibex.storage import Postgres

logger = logging.getLogger(__name__)


async def end_idle_sessions(postgres: Postgres, idle: timedelta) -> None:
    """End every active session whose last turn is longer ago than `idle`. A later turn opens it again."""
    ended = 0
    org_id = await repository.next_organization(postgres, None)
    while org_id is not None:
        ended += await repository.end_idle_sessions(postgres, org_id, idle)
        org_id = await repository.next_organization(postgres, org_id)
    if ended:
        logger.info("%d idle sessions have ended", ended)
