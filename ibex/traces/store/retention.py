"""The end of traces that are too old."""

import logging

from ibex.traces.store.interface import TraceStore

logger = logging.getLogger(__name__)


async def expire_traces(store: TraceStore, days: int) -> None:
    """Forget what is older than so many days, and say so."""
    for expired in await store.expire(days, dry_run=False):
        logger.info("about %d traces were older than %d days", expired.traces, days)
