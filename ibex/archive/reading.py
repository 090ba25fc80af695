"""What was said in a session, read from where it is; and removed for good."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import orjson

from ibex.archive.archiving import SessionArchive
from ibex.archive.part import DamagedArchiveError, check, lines_of
from ibex.archive.repository import archives, contents
from ibex.archive.repository.archives import Archive
from ibex.archive.repository.contents import Session
from ibex.auth import Actor, audit
from ibex.auth.audit import AuditEvent
from ibex.auth.names import no_access
from ibex.errors import ErrorCode, IbexError
from ibex.storage import Postgres
from ibex.storage.objects import ObjectMissingError, ObjectStore, ObjectStoreError

# Turns that are read at a time, and the bytes within which they begin.
_TURNS, _BYTES = 500, 1 << 20
_ARCHIVES = 100
_FIRST = UUID(int=0)

Condition = Literal["good", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class Examined:
    """An archive, and what has become of its object."""

    object_key: str
    session_id: str
    condition: Condition


class SessionContents:
    """Reads and removes content; both are audited."""

    def __init__(self, postgres: Postgres, objects: ObjectStore, archive: SessionArchive) -> None:
        self._postgres = postgres
        self._objects = objects
        self._archive = archive

    async def begin(self, actor: Actor, agent_id: UUID, session_id: str) -> AsyncIterator[bytes]:
        """Lines of JSON, one a turn: what is archived first, then what is not yet.

        Raises ACCESS_DENIED when nothing is kept of such a session, SERVICE_DEGRADED when the store of
        objects is away, and INTERNAL_ERROR when an object is damaged or gone. So does reading on.
        """
        session = Session(agent_id, session_id)
        blocks = self._blocks(actor.org_id, session)
        first = await anext(blocks, None)
        if first is None:
            raise no_access("session")
        await self._audit(actor, "session.read_content", session)
        return _chained(first, blocks)

    async def agent_with(self, actor: Actor, session_id: str) -> str | None:
        """Whose session it is, if it is one agent's alone. Raises ACCESS_DENIED when it is nobody's."""
        found = await contents.agents_with(self._postgres, actor.org_id, session_id)
        if not found:
            raise no_access("session")
        return str(found[0]) if len(found) == 1 else None

    async def remove(self, actor: Actor, agent_id: UUID, session_id: str) -> None:
        """Remove all of it, archived or not; doing so again does no harm. Raises SERVICE_DEGRADED."""
        session = Session(agent_id, session_id)
        await self._audit(actor, "session.remove_content", session)
        try:
            await self._archive.forget_session(actor.org_id, session)
        except ObjectStoreError as error:
            raise _away(error) from error

    async def examine(self, org_id: UUID) -> AsyncIterator[Examined]:
        """Read every object of an organization and compare it. Raises `ObjectStoreError`."""
        after = ""
        while found := await archives.following(self._postgres, org_id, after, _ARCHIVES):
            for archive in found:
                condition: Condition = "good"
                try:
                    check(archive, await self._objects.get(archive.object_key))
                except ObjectMissingError:
                    condition = "missing"
                except DamagedArchiveError:
                    condition = "damaged"
                yield Examined(archive.object_key, archive.session_id, condition)
            after = found[-1].object_key

    async def _blocks(self, org_id: UUID, session: Session) -> AsyncIterator[bytes]:
        """Whatever is archived while this goes on is told once: rows are looked at before archives, and what
        was a row before is left out of an archive."""
        told: set[UUID] = set()
        read: set[str] = set()
        after = _FIRST
        while True:
            lines = await contents.page(self._postgres, org_id, session, after, most=_TURNS, size=_BYTES)
            told.update(each.turn_id for each in lines)
            every = await archives.of_session(self._postgres, org_id, session)
            new = [each for each in every if each.object_key not in read]
            if not lines and not new:
                return
            for archive in new:
                read.add(archive.object_key)
                if block := await self._unpacked(archive, told):
                    yield block
            if lines:
                after = lines[-1].turn_id
                yield b"".join(each.line + b"\n" for each in lines)

    async def _unpacked(self, archive: Archive, told: set[UUID]) -> bytes:
        try:
            packed = await self._objects.get(archive.object_key)
            lines = await asyncio.to_thread(lines_of, archive, packed)
        except ObjectMissingError as error:
            raise IbexError(
                ErrorCode.INTERNAL_ERROR,
                f"The object {archive.object_key} is gone from its store.",
            ) from error
        except ObjectStoreError as error:
            raise _away(error) from error
        except DamagedArchiveError as error:
            raise IbexError(ErrorCode.INTERNAL_ERROR, f"Reading failed: {error}.") from error
        if told:
            lines = [line for line in lines if UUID(orjson.loads(line)["turn_id"]) not in told]
        return b"".join(lines)

    async def _audit(self, actor: Actor, action: str, session: Session) -> None:
        async with self._postgres.transaction(actor.org_id) as connection:
            event = AuditEvent.of(actor, action, session.agent_id, session_id=session.session_id)
            await audit.record(connection, event)


async def _chained(first: bytes, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for block in blocks:
        yield block


def _away(error: ObjectStoreError) -> IbexError:
    return IbexError(ErrorCode.SERVICE_DEGRADED, f"The store of objects does not answer: {error}.")
