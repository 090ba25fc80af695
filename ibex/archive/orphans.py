"""Objects that no row names, and rows whose object is gone."""

import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import UUID

from ibex.archive.part import ARCHIVE, MANIFEST
from ibex.archive.repository import archives
from ibex.storage import Postgres
from ibex.storage.objects import ObjectStore, StoredObject

logger = logging.getLogger(__name__)

# Long enough for whoever has written one to put down its row.
_AGE = timedelta(days=1)
_BATCH = 500
_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OURS = re.compile(rf"({_ID})/[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}/{_ID}-[0-9a-f]{{16}}\.jsonl\.gz(?:\.json)?")
_PARTIAL = re.compile(r"\.partial/[0-9a-f]{32}")


class OrphanedObjects:
    """Finds and removes what an interrupted archiving has left in the store. Objects that are not named as
    archives are not touched: a bucket may hold other things too."""

    def __init__(self, postgres: Postgres, objects: ObjectStore) -> None:
        self._postgres = postgres
        self._objects = objects

    async def run(self, dry_run: bool) -> int:
        """How many objects, a day old at least, were removed, or would be. Raises `ObjectStoreError`."""
        removed = 0
        async for key in self._orphans():
            removed += 1
            if not dry_run:
                await self._objects.delete(key)
        if removed and not dry_run:
            logger.info("%d objects that belong to no archive are gone", removed)
        return removed

    async def _orphans(self) -> AsyncIterator[str]:
        before = datetime.now(UTC) - _AGE
        batch: list[StoredObject] = []
        async for each in self._objects.list():
            if each.modified_at >= before:
                continue
            if _PARTIAL.fullmatch(each.key):
                yield each.key
            elif _OURS.fullmatch(each.key):
                batch.append(each)
            if len(batch) == _BATCH:
                for key in await self._unknown([one.key for one in batch]):
                    yield key
                batch.clear()
        for key in await self._unknown([one.key for one in batch]):
            yield key

    async def _unknown(self, keys: list[str]) -> list[str]:
        found: list[str] = []
        for org_id, group in groupby(sorted(keys), key=_organization):
            theirs = list(group)
            named = await archives.known(self._postgres, UUID(org_id), [_archive_of(key) for key in theirs])
            found += [key for key in theirs if _archive_of(key) not in named]
        return found


def _organization(key: str) -> str:
    return key.partition("/")[0]


def _archive_of(key: str) -> str:
    """The key that the row has, of an object and of its manifest."""
    return key.removesuffix(MANIFEST) + ARCHIVE if key.endswith(MANIFEST) else key
