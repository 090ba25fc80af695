"""Sessions that are over go to the store of objects; what is too old goes for good."""

import asyncio
import logging
from datetime import timedelta
from uuid import UUID

from ibex.archive.part import Part, check, manifest_key, part_of
from ibex.archive.repository import archives, contents
from ibex.archive.repository.contents import Session
from ibex.storage import Postgres
from ibex.storage.objects import ObjectStore

logger = logging.getLogger(__name__)

_SESSIONS_AT_ONCE = 100
_TURNS_OF_PART = 10_000
# Bytes of lines in an object, to which the last turn may add its own: what a worker holds at a time is some
# three times as much.
PART_BYTES = 8 << 20
_FIRST = UUID(int=0)


class _ChangedMeanwhileError(Exception):
    """What was to be archived is not there any more, or another worker has archived it."""


class SessionArchive:
    """Archives sessions, and forgets archives. Any number of workers may do so at once.

    An object is written, read back and compared before a transaction puts down where it is and removes what
    is in it: whatever is interrupted is done again, and nothing is lost. What remains of an interrupted try
    is an object that no row names.

    Parameters
    ----------
    idle: for how long nothing was said in a session that is over.
    most_days: that content is kept at most, whatever an organization has chosen.
    """

    def __init__(
        self,
        postgres: Postgres,
        objects: ObjectStore,
        *,
        idle: timedelta,
        most_days: int,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._postgres = postgres
        self._objects = objects
        self._idle = idle
        self._most_days = most_days
        self._part_bytes = part_bytes

    async def run(self) -> None:
        """Archive what is over. Raises `ObjectStoreError` when the store is away; then everything waits."""
        org_id = None
        while (org_id := await contents.next_organization(self._postgres, org_id)) is not None:
            for session in await contents.complete(self._postgres, org_id, self._idle, _SESSIONS_AT_ONCE):
                await self._archive(org_id, session)

    async def expire(self) -> None:
        """Forget what is older than its organization wants it kept: objects first, then their rows."""
        org_id = None
        while (org_id := await contents.next_organization(self._postgres, org_id)) is not None:
            chosen = await contents.days(self._postgres, org_id)
            if chosen is None:
                continue
            days = min(chosen, self._most_days)
            await contents.expire(self._postgres, org_id, days)
            while keys := await archives.expired(self._postgres, org_id, days, _SESSIONS_AT_ONCE):
                for key in keys:
                    await self._forget(org_id, key)

    async def forget_session(self, org_id: UUID, session: Session) -> None:
        """Remove all content of a session for good, archived or not."""
        await contents.remove_session(self._postgres, org_id, session)
        for archive in await archives.of_session(self._postgres, org_id, session):
            await self._forget(org_id, archive.object_key)

    async def forget_organization(self, org_id: UUID) -> None:
        """Remove every object of an organization; its rows go with it."""
        async for each in self._objects.list(f"{org_id}/"):
            await self._objects.delete(each.key)

    async def _archive(self, org_id: UUID, session: Session) -> None:
        while lines := await contents.page(
            self._postgres, org_id, session, _FIRST, most=_TURNS_OF_PART, size=self._part_bytes
        ):
            part = await asyncio.to_thread(part_of, org_id, lines)
            await self._store(part)
            try:
                async with self._postgres.transaction(org_id) as connection:
                    is_new = await archives.insert(connection, org_id, part.archive)
                    removed = await contents.remove(connection, session, [each.turn_id for each in lines])
                    if not is_new or removed != len(lines):
                        raise _ChangedMeanwhileError
            except _ChangedMeanwhileError:
                await self._take_back(org_id, part)
                return
            logger.info("archived %d turns of a session of organization %s", len(lines), org_id)

    async def _store(self, part: Part) -> None:
        key = part.archive.object_key
        await self._objects.put(key, part.packed)
        await self._objects.put(manifest_key(key), part.manifest())
        check(part.archive, await self._objects.get(key))

    async def _take_back(self, org_id: UUID, part: Part) -> None:
        """The object goes again, unless it is the one of a worker that was faster."""
        key = part.archive.object_key
        if not await archives.known(self._postgres, org_id, [key]):
            await self._delete(key)

    async def _forget(self, org_id: UUID, key: str) -> None:
        await self._delete(key)
        await archives.remove(self._postgres, org_id, key)

    async def _delete(self, key: str) -> None:
        await self._objects.delete(manifest_key(key))
        await self._objects.delete(key)
