"""An organization with content in Postgres, and an archive in a folder."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest_asyncio

from ibex.archive import SessionArchive, SessionContents
from ibex.archive.repository import archives, contents
from ibex.archive.repository.archives import Archive
from ibex.archive.repository.contents import Line, Session
from ibex.ids import uuid7
from ibex.storage.objects import ObjectStore, open_objects
from tests.operator import Operator

IDLE = timedelta(hours=1)


@dataclass(slots=True)
class Shelf:
    """One agent's sessions."""

    operator: Operator = field(repr=False)
    objects: ObjectStore = field(repr=False)
    folder: Path
    org_id: UUID
    agent_id: UUID

    def archive(self, *, part_bytes: int = 8 << 20, most_days: int = 365) -> SessionArchive:
        return SessionArchive(
            self.operator.postgres, self.objects, idle=IDLE, most_days=most_days, part_bytes=part_bytes
        )

    async def say(
        self, *texts: str, session: str = "tuesday", age: timedelta = timedelta(hours=2)
    ) -> list[bytes]:
        """The lines that are stored now, one for each text."""
        at = datetime.now(UTC) - age
        # Those of one millisecond are in no order of their own.
        turn_ids = sorted(uuid7() for _ in texts)
        made = [self._line(session, turn_id, text, at) for turn_id, text in zip(turn_ids, texts, strict=True)]
        await contents.insert(self.operator.postgres, self.org_id, made)
        return [each.line for each in made]

    async def read(self, session: str = "tuesday") -> list[bytes]:
        """What is told of a session, without the ends of its lines."""
        reading = SessionContents(self.operator.postgres, self.objects, self.archive())
        actor = self.operator.actor(self.org_id)
        blocks = [block async for block in await reading.begin(actor, self.agent_id, session)]
        return b"".join(blocks).splitlines()

    async def waiting(self, session: str = "tuesday") -> list[bytes]:
        """The lines that are in Postgres."""
        found = await contents.page(
            self.operator.postgres,
            self.org_id,
            Session(self.agent_id, session),
            UUID(int=0),
            most=1_000,
            size=1 << 30,
        )
        return [each.line for each in found]

    async def archived(self, session: str = "tuesday") -> list[Archive]:
        return await archives.of_session(self.operator.postgres, self.org_id, Session(self.agent_id, session))

    async def keys(self) -> set[str]:
        return {each.key async for each in self.objects.list()}

    def _line(self, session: str, turn_id: UUID, text: str, at: datetime) -> Line:
        line = orjson.dumps({"turn_id": turn_id, "text": text})
        return Line(self.agent_id, session, turn_id, at, line)


@pytest_asyncio.fixture
async def shelf(operator: Operator, tmp_path: Path) -> AsyncIterator[Shelf]:
    yield await shelf_of(operator, tmp_path / "objects", "acme")


async def shelf_of(operator: Operator, folder: Path, slug: str) -> Shelf:
    org_id = await operator.organization(slug)
    objects = open_objects(folder, None, timeout=5.0)
    return Shelf(operator, objects, folder, org_id, (await operator.agent(org_id)).id)
