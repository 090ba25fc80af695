"""Vectors of this process's model for memories that another model has embedded."""

import asyncio
import logging

from ibex.auth.organizations.repository import next_organization
from ibex.memory.embedding import EmbedderUnavailableError
from ibex.memory.lifecycle.reembedding import Reembedding
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.tasks import BackgroundTask

logger = logging.getLogger(__name__)

# Seconds. A look reads an index entry per memory and vector: a million of both take about a second.
_EVERY = 600.0


class EmbeddingBackfill:
    """Ends a change of the model: embeds what processes with another model have written.

    Looks at the start and then now and then, of one organization after the other, for ever. Of processes that
    find the same, each embeds it, which costs time and changes nothing.

    Parameters
    ----------
    every: seconds between two looks.
    """

    def __init__(self, postgres: Postgres, reembedding: Reembedding, *, every: float = _EVERY) -> None:
        self._postgres = postgres
        self._reembedding = reembedding
        self._every = every
        self._task = BackgroundTask("embedding backfill", self._run)

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except (EmbedderUnavailableError, DatabaseUnavailableError) as error:
                logger.warning("memories wait for vectors of another model (%s)", type(error).__name__)
            await asyncio.sleep(self._every)

    async def _look(self) -> None:
        org_id = await next_organization(self._postgres, None)
        while org_id is not None:
            embedded = await self._reembedding.run(org_id)
            if embedded:
                logger.info("%d memories have vectors of %s now", embedded, self._reembedding.model.name)
            org_id = await next_organization(self._postgres, org_id)
