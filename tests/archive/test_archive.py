"""What was said in a session is archived when it is over, and read as if it were not."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from ibex.archive import OrphanedObjects, SessionArchive, SessionContents
from ibex.archive.part import manifest_key
from ibex.errors import ErrorCode, IbexError
from ibex.storage.objects import ObjectStoreError, StoredObject, open_objects
from tests.archive.conftest import IDLE, Shelf, shelf_of
from tests.operator import Operator
from tests.storage.objects.bucket import Bucket, bucket

__all__ = ["bucket"]

_OLD = (datetime.now(UTC) - timedelta(days=2)).timestamp()


class KilledError(BaseException):
    """The process ends here."""


class DyingStore:
    """A folder whose user dies when a certain operation is over: `put 1` after the first object."""

    def __init__(self, shelf: Shelf, dies_after: int) -> None:
        self._objects = shelf.objects
        self._left = dies_after

    async def put(self, key: str, content: bytes) -> None:
        await self._objects.put(key, content)
        self._count()

    async def get(self, key: str) -> bytes:
        found = await self._objects.get(key)
        self._count()
        return found

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        return self._objects.list(prefix)

    async def delete(self, key: str) -> None:
        await self._objects.delete(key)

    async def ping(self) -> None:
        await self._objects.ping()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise KilledError


async def test_a_session_that_is_over_comes_back_byte_for_byte(shelf: Shelf) -> None:
    lines = await shelf.say("Good morning.", "Tea, please. 茶\n\u2028", "x" * 100_000)
    assert await shelf.read() == lines

    await shelf.archive().run()

    assert await shelf.waiting() == []
    assert await shelf.read() == lines
    [archive] = await shelf.archived()
    assert (archive.turns, archive.content_bytes) == (3, sum(map(len, lines)) + 3)
    packed = await shelf.objects.get(archive.object_key)
    assert sha256(packed).digest() == archive.object_sha256
    manifest = orjson.loads(await shelf.objects.get(manifest_key(archive.object_key)))
    assert manifest["object_sha256"] == sha256(packed).hexdigest()
    assert (manifest["turns"], manifest["format"], manifest["object_bytes"]) == (3, 1, len(packed))


async def test_one_that_goes_on_waits_and_one_that_is_taken_up_again_gets_another_part(shelf: Shelf) -> None:
    first = await shelf.say("Good morning.")
    await shelf.archive().run()
    second = await shelf.say("Are you there?", age=timedelta())
    await shelf.archive().run()
    assert await shelf.waiting() == second
    assert await shelf.read() == [*first, *second]

    third = await shelf.say("And now?", session="wednesday")
    await shelf.archive().run()

    assert await shelf.read() == [*first, *second]
    assert await shelf.read("wednesday") == third


async def test_a_long_session_is_archived_in_parts(shelf: Shelf) -> None:
    lines = await shelf.say(*(f"{number}: {'x' * 1_000}" for number in range(50)))

    await shelf.archive(part_bytes=10_000).run()

    parts = await shelf.archived()
    assert len(parts) == 5
    assert all(part.content_bytes < 12_000 for part in parts)
    assert await shelf.read() == lines


@pytest.mark.parametrize("dies_after", [1, 2, 3])
async def test_a_death_between_object_and_row_loses_and_doubles_nothing(
    shelf: Shelf, dies_after: int
) -> None:
    lines = await shelf.say("one", "two")
    dying = SessionArchive(shelf.operator.postgres, DyingStore(shelf, dies_after), idle=IDLE, most_days=365)
    with pytest.raises(KilledError):
        await dying.run()
    assert await shelf.waiting() == lines
    assert await shelf.read() == lines

    await shelf.archive().run()

    assert await shelf.read() == lines
    [archive] = await shelf.archived()
    assert await shelf.keys() == {archive.object_key, manifest_key(archive.object_key)}


async def test_many_workers_archive_a_session_once(shelf: Shelf) -> None:
    lines = await shelf.say(*(f"{number}: {'x' * 1_000}" for number in range(30)))

    await asyncio.gather(*(shelf.archive(part_bytes=10_000).run() for _ in range(4)))
    await shelf.archive(part_bytes=10_000).run()

    assert await shelf.read() == lines
    keys = {archive.object_key for archive in await shelf.archived()}
    assert await shelf.keys() == keys | {manifest_key(key) for key in keys}


async def test_while_the_store_hangs_or_is_away_everything_waits(
    shelf: Shelf, bucket: Bucket, tmp_path: Path
) -> None:
    lines = await shelf.say("one", "two")
    shelf.objects = open_objects(tmp_path, bucket.url, timeout=0.3)
    with bucket.hanging(), pytest.raises(ObjectStoreError):
        await shelf.archive().run()
    assert await shelf.waiting() == lines

    shelf.objects = open_objects(tmp_path, bucket.url, timeout=5.0)
    await shelf.archive().run()

    assert (await shelf.waiting(), await shelf.read()) == ([], lines)
    shelf.objects = open_objects(tmp_path, bucket.url, timeout=0.3)
    with bucket.hanging(), pytest.raises(IbexError) as refused:
        await shelf.read()
    assert refused.value.code is ErrorCode.SERVICE_DEGRADED


async def test_an_object_that_was_changed_or_is_gone_is_said_to_be(shelf: Shelf) -> None:
    await shelf.say("one")
    await shelf.archive().run()
    [archive] = await shelf.archived()
    reading = SessionContents(shelf.operator.postgres, shelf.objects, shelf.archive())

    async def condition() -> list[str]:
        return [each.condition async for each in reading.examine(shelf.org_id)]

    assert await condition() == ["good"]
    await shelf.objects.put(archive.object_key, b"something else")
    with pytest.raises(IbexError, match="damaged"):
        await shelf.read()
    assert await condition() == ["damaged"]
    await shelf.objects.delete(archive.object_key)
    with pytest.raises(IbexError, match="gone"):
        await shelf.read()
    assert await condition() == ["missing"]


async def test_what_is_too_old_goes_archived_or_not(shelf: Shelf) -> None:
    await shelf.say("old", session="old", age=timedelta(days=31))
    await shelf.archive().run()
    await shelf.say("older, and never archived", session="older", age=timedelta(days=40))
    young = await shelf.say("young", session="young", age=timedelta(days=29))
    await shelf.archive().expire()
    assert len(await shelf.archived("old")) == 1

    await shelf.archive(most_days=30).expire()

    assert (await shelf.archived("old"), await shelf.waiting("older")) == ([], [])
    assert await shelf.keys() == set()
    assert await shelf.read("young") == young


async def test_content_that_is_removed_is_nowhere(shelf: Shelf) -> None:
    await shelf.say("archived")
    await shelf.archive().run()
    await shelf.say("not yet")
    kept = await shelf.say("kept", session="wednesday")
    reading = SessionContents(shelf.operator.postgres, shelf.objects, shelf.archive())

    await reading.remove(shelf.operator.actor(shelf.org_id), shelf.agent_id, "tuesday")

    assert (await shelf.archived(), await shelf.waiting(), await shelf.keys()) == ([], [], set())
    with pytest.raises(IbexError) as refused:
        await shelf.read()
    assert refused.value.code is ErrorCode.ACCESS_DENIED
    assert await shelf.read("wednesday") == kept


async def test_objects_of_nobody_are_found_and_then_removed(shelf: Shelf) -> None:
    await shelf.say("one")
    await shelf.archive().run()
    [archive] = await shelf.archived()
    other = archive.object_key.replace(str(archive.first_turn_id), str(archive.first_turn_id)[:-4] + "0000")
    for key in (other, manifest_key(other), "somebody/elses.txt", f".partial/{'0' * 32}"):
        await shelf.objects.put(key, b"x")
    before = await shelf.keys()
    orphans = OrphanedObjects(shelf.operator.postgres, shelf.objects)
    assert await orphans.run(dry_run=False) == 0
    for key in before:
        os.utime(shelf.folder / key, (_OLD, _OLD))

    assert await orphans.run(dry_run=True) == 3
    assert await shelf.keys() == before
    assert await orphans.run(dry_run=False) == 3
    assert await shelf.keys() == {
        archive.object_key,
        manifest_key(archive.object_key),
        "somebody/elses.txt",
    }


async def test_an_organization_is_forgotten_with_its_objects_and_no_other(
    shelf: Shelf, operator: Operator
) -> None:
    other = await shelf_of(operator, shelf.folder, "globex")
    mine, theirs = await shelf.say("mine"), await other.say("theirs")
    await shelf.archive().run()
    assert (await shelf.read(), await other.read()) == (mine, theirs)

    await shelf.archive().forget_organization(shelf.org_id)

    assert {key.partition("/")[0] for key in await shelf.keys()} == {str(other.org_id)}
    assert await other.read() == theirs
