"""Another master key takes over while calls go on; nothing is lost, and an interruption is made good."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import KeyRing, KeyRotation
from ibex.auth.credentials import repository
from ibex.auth.credentials.key_ring import keep_first_key
from ibex.auth.credentials.master_key import MasterKey
from ibex.auth.credentials.sealing import seal
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.proxy.asking import CHAT, chat
from tests.proxy.conftest import UNLIMITED
from tests.service import Service


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keep_first_key(tmp_path / "master-keys")
    return tmp_path / "master-keys"


@pytest_asyncio.fixture
async def operator(database: Database, file: Path) -> AsyncIterator[Operator]:
    async with Operator(database.service_dsn, database.redis_url, KeyRing.in_file(file)) as someone:
        yield someone


async def organizations(operator: Operator, count: int) -> list[UUID]:
    """Organizations with a key each, which ends in the organization's slug."""
    created = []
    for number in range(count):
        created.append(await operator.organization(f"org-{number}"))
        await put(operator, created[-1], f"sk-0123456789abcdef-org-{number}")
    return created


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


async def put(operator: Operator, org_id: UUID, key: str) -> None:
    await operator.administration.credentials.put(operator.actor(org_id), "openai", key)


def rotation(operator: Operator, keys: KeyRing) -> KeyRotation:
    return KeyRotation(operator.postgres, keys)


async def test_everything_is_sealed_under_the_new_key(operator: Operator, file: Path) -> None:
    old = operator.keys.primary()
    await organizations(operator, 5)
    rotated = await rotation(operator, KeyRing.in_file(file)).run()
    new = KeyRing.in_file(file).primary()
    assert (rotated.is_new, rotated.primary, rotated.resealed) == (True, new.id, 5)
    assert (rotated.unused, rotated.failures) == ((old.id,), ())
    assert await repository.key_ids(operator.postgres) == {new.id}
    assert new.id != old.id


async def test_the_older_key_stays_in_the_private_file(operator: Operator, file: Path) -> None:
    old = operator.keys.primary()
    await rotation(operator, KeyRing.in_file(file)).run()
    assert KeyRing.in_file(file).all()[1:] == (old,)
    assert mode_of(file) == 0o600


async def test_it_can_be_told_what_each_key_seals(operator: Operator, file: Path) -> None:
    await organizations(operator, 3)
    used = await rotation(operator, KeyRing.in_file(file)).usage()
    assert used == {operator.keys.primary().id: 3}


async def test_an_interrupted_rotation_is_continued_under_the_same_key(
    operator: Operator, file: Path
) -> None:
    old = operator.keys.primary()
    await organizations(operator, 3)
    new = MasterKey.generate()
    # As far as a rotation comes that is killed after its first step.
    KeyRing.in_file(file).put_first(new)
    await put(operator, await operator.organization("late"), "sk-0123456789abcdef-late")
    rotated = await rotation(operator, KeyRing.in_file(file)).run()
    assert (rotated.is_new, rotated.primary, rotated.resealed) == (False, new.id, 3)
    assert await repository.key_ids(operator.postgres) == {new.id}
    assert rotated.unused == (old.id,)
    assert (await rotation(operator, KeyRing.in_file(file)).run()).is_new


async def test_given_keys_are_sealed_anew_under_the_first_one(operator: Operator) -> None:
    old, new = operator.keys.primary(), MasterKey.generate()
    await organizations(operator, 2)
    ring = KeyRing.given(f"{new.secret.hex()},{old.secret.hex()}")
    rotated = await rotation(operator, ring).run()
    assert (rotated.is_new, rotated.primary, rotated.resealed) == (False, new.id, 2)
    assert rotated.unused == (old.id,)
    assert (await rotation(operator, ring).run()).resealed == 0


async def test_what_cannot_be_opened_is_left_as_it_is_and_named(
    operator: Operator, database: Database, file: Path
) -> None:
    broken, _ = await organizations(operator, 2)
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.provider_credentials SET sealed = 'x' WHERE org_id = %s", (broken,))
    rotated = await rotation(operator, KeyRing.in_file(file)).run()
    assert (rotated.resealed, rotated.failures) == (1, ((broken, "openai"),))
    assert rotated.unused == ()


async def test_it_is_in_the_audit_of_each_organization(operator: Operator, file: Path) -> None:
    org_id, _ = await organizations(operator, 2)
    await rotation(operator, KeyRing.in_file(file)).run()
    async with operator.postgres.transaction(org_id) as connection:
        found = await connection.execute(
            "SELECT target FROM ibex.audit_events WHERE action = 'credential.reseal'"
        )
        assert await found.fetchall() == [(KeyRing.in_file(file).primary().id,)]


async def test_whoever_is_just_sealing_under_the_older_key_is_waited_for(
    database: Database, operator: Operator, file: Path
) -> None:
    """What is stored a moment later would otherwise stay under the older key."""
    (org_id,) = await organizations(operator, 1)

    def is_waiting() -> bool:
        with psycopg.connect(database.superuser_dsn) as connection:
            waiting = connection.execute(
                "SELECT FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database "
                "WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted"
            )
            return waiting.fetchone() is not None

    async with Operator(database.service_dsn, database.redis_url) as rotating:
        async with operator.postgres.transaction(org_id) as connection:
            await repository.begin_sealing(connection)
            older = operator.keys.primary()
            running = asyncio.create_task(rotation(rotating, KeyRing.in_file(file)).run())
            await until(is_waiting)
            sealed = seal("sk-0123456789abcdef", older, org_id, "other")
            await repository.put(connection, org_id, "other", sealed, older.id, "…")
        assert (await running).resealed == 2
        assert await repository.key_ids(rotating.postgres) == {KeyRing.in_file(file).primary().id}


async def test_calls_and_changes_go_on_while_keys_are_rotated(
    database: Database, operator: Operator, stub_provider: StubProvider, file: Path
) -> None:
    """Nothing is remembered between calls, so each of them opens what a rotation may just have sealed."""
    tenants = await organizations(operator, 4)
    tokens = [await operator.token(org_id) for org_id in tenants]
    answered = [0] * len(tenants)
    is_over = asyncio.Event()

    async def ask(service: Service, number: int) -> None:
        async with service.http() as client:
            while not is_over.is_set():
                headers = {"Authorization": f"Bearer {tokens[number]}"}
                answer = await client.post(CHAT, json=chat(user=f"org-{number}"), headers=headers)
                assert answer.status_code == 200, answer.text
                answered[number] += 1

    async def change(elsewhere: Operator) -> None:
        revision = 0
        while not is_over.is_set():
            revision += 1
            await put(elsewhere, tenants[0], f"sk-{revision:016}-org-0")

    def have_all_been_answered_since(before: list[int]) -> Callable[[], bool]:
        return lambda: all(now > then for now, then in zip(answered, before, strict=True))

    async def rotate(elsewhere: Operator) -> None:
        for _ in range(8):
            rotated = await rotation(elsewhere, KeyRing.in_file(file)).run()
            assert (rotated.is_new, rotated.failures) == (True, ())
            assert await repository.key_ids(elsewhere.postgres) == {rotated.primary}
            await until(have_all_been_answered_since(list(answered)))
        is_over.set()

    def another_process() -> Operator:
        return Operator(database.service_dsn, database.redis_url, KeyRing.in_file(file))

    settings = {**UNLIMITED, "token_cache_seconds": 0}
    async with (
        Service.start(
            database.service_dsn, database.redis_url, operator, stub_provider, **settings
        ) as service,
        another_process() as changing,
        another_process() as rotating,
        asyncio.TaskGroup() as group,
    ):
        for number in range(len(tenants)):
            group.create_task(ask(service, number))
        group.create_task(change(changing))
        group.create_task(rotate(rotating))
    assert len(stub_provider.requests) >= 8 * len(tenants)
    for request in stub_provider.requests:
        assert str(request.key).endswith(request.json()["user"])
