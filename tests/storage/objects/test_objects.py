"""One set of expectations for both stores of objects."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from ibex.storage.objects import (
    LARGEST,
    ObjectMissingError,
    ObjectStore,
    ObjectStoreError,
    open_objects,
)
from tests.storage.objects.bucket import Bucket, bucket

__all__ = ["bucket"]


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_objects(tmp_path / "objects", None, timeout=5.0)
    running: Bucket = request.getfixturevalue("bucket")
    return open_objects(tmp_path, running.url, timeout=5.0)


async def test_an_object_comes_back_as_it_was_put(objects: ObjectStore) -> None:
    name = f"{uuid4()}/2026/a.jsonl.gz"
    content = bytes(range(256)) * 40_000

    await objects.put(name, content)

    assert await objects.get(name) == content


async def test_an_object_takes_the_place_of_another(objects: ObjectStore) -> None:
    name = f"{uuid4()}/a"
    await objects.put(name, b"first, and longer")
    await objects.put(name, b"second")

    assert await objects.get(name) == b"second"


async def test_what_is_below_a_prefix_is_listed(objects: ObjectStore) -> None:
    one, other = str(uuid4()), str(uuid4())
    for name in (f"{one}/2026/11/a", f"{one}/2026/12/b", f"{other}/c"):
        await objects.put(name, b"12345")

    found = [each async for each in objects.list(f"{one}/")]

    assert {each.key for each in found} == {f"{one}/2026/11/a", f"{one}/2026/12/b"}
    assert {each.size for each in found} == {5}
    assert all(abs(datetime.now(UTC) - each.modified_at) < timedelta(hours=1) for each in found)
    assert {f"{one}/2026/11/a", f"{other}/c"} <= {each.key async for each in objects.list()}


async def test_nothing_is_below_a_prefix_that_nobody_has_used(objects: ObjectStore) -> None:
    assert [each async for each in objects.list(f"{uuid4()}/")] == []


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(objects: ObjectStore) -> None:
    name = f"{uuid4()}/a"
    await objects.put(name, b"content")
    await objects.delete(name)
    await objects.delete(name)

    with pytest.raises(ObjectMissingError):
        await objects.get(name)
    assert [each async for each in objects.list(f"{name.partition('/')[0]}/")] == []


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/.", "a b", "ä", "a\n"])
async def test_a_key_leads_nowhere_else(objects: ObjectStore, name: str) -> None:
    for work in (objects.put(name, b""), objects.get(name), objects.delete(name)):
        with pytest.raises(ValueError, match="no key"):
            await work


async def test_what_does_not_fit_into_memory_is_refused(objects: ObjectStore) -> None:
    with pytest.raises(ObjectStoreError, match="larger"):
        await objects.put("a", bytes(LARGEST + 1))


async def test_both_can_be_reached(objects: ObjectStore) -> None:
    await objects.ping()


async def test_many_may_put_the_same_object_at_once(objects: ObjectStore) -> None:
    name = f"{uuid4()}/a"
    contents = [bytes([number]) * 100_000 for number in range(8)]

    await asyncio.gather(*(objects.put(name, content) for content in contents))

    assert await objects.get(name) in contents


async def test_s3_that_hangs_refuses_or_is_away_is_an_error_that_tells_no_secret(
    bucket: Bucket, tmp_path: Path
) -> None:
    wrong = bucket.url.replace("a-secret-of-tests", "another-secret")
    away = "http://ibex:a-secret-of-tests@127.0.0.1:1/archive"
    messages: list[str] = []
    for url in (wrong, away):
        with pytest.raises(ObjectStoreError) as refused:
            await open_objects(tmp_path, url, timeout=2.0).ping()
        messages.append(str(refused.value))
    with bucket.hanging(), pytest.raises(ObjectStoreError) as late:
        await open_objects(tmp_path, bucket.url, timeout=0.5).ping()

    assert "secret" not in "".join([*messages, str(late.value)])


async def test_a_folder_is_its_owners_alone(tmp_path: Path) -> None:
    await open_objects(tmp_path / "objects", None, timeout=5.0).put("a/b", b"content")

    modes = {
        name: (tmp_path / name).stat().st_mode & 0o777 for name in ("objects", "objects/a", "objects/a/b")
    }

    assert modes["objects"] == modes["objects/a"] == 0o700
    assert modes["objects/a/b"] == 0o600
