"""What a process remembers of provider keys: for half a minute at most, and never against a change."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from ibex.auth import Change, OrganizationKeys
from ibex.auth.credentials.provider_key import ProviderKey
from ibex.errors import ErrorCode, IbexError
from ibex.storage import Postgres
from tests.fixtures import Database
from tests.operator import KEYS, Operator

OWN = "sk-of-acme-0123456789abcdefa1b2"
OTHERS = "sk-another-0123456789abcdefc3d4"


class Process:
    """A cache on a pool of its own, with a clock and a feed that a test holds."""

    def __init__(self, dsn: str) -> None:
        self.postgres = Postgres(dsn, connections=1)
        self.now = 1_000.0
        self.hears = True
        self.keys = OrganizationKeys(
            self.postgres,
            KEYS,
            cache_seconds=30.0,
            timeout=10.0,
            feed_is_live=lambda: self.hears,
            clock=lambda: self.now,
        )

    async def key(self, org_id: UUID) -> str | None:
        found = (await self.keys.of(org_id)).get("openai")
        return found.text if found else None


@pytest_asyncio.fixture
async def process(database: Database) -> AsyncIterator[Process]:
    running = Process(database.service_dsn)
    await running.postgres.open()
    yield running
    await running.postgres.close()


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    org_id = await operator.organization()
    await put(operator, org_id, OWN)
    return org_id


async def put(operator: Operator, org_id: UUID, key: str) -> None:
    await operator.administration.credentials.put(operator.actor(org_id), "openai", key)


async def test_what_is_remembered_needs_no_database(process: Process, org_id: UUID) -> None:
    nobody = uuid4()
    assert (await process.key(org_id), await process.key(nobody)) == (OWN, None)
    await process.postgres.close()
    assert (await process.key(org_id), await process.key(nobody)) == (OWN, None)


async def test_it_is_remembered_for_30_seconds_and_no_longer(
    process: Process, operator: Operator, org_id: UUID
) -> None:
    assert await process.key(org_id) == OWN
    await put(operator, org_id, OTHERS)
    process.now += 29.9
    assert await process.key(org_id) == OWN
    process.now += 0.2
    assert await process.key(org_id) == OTHERS


async def test_while_no_change_can_be_heard_of_it_is_hardly_trusted(
    process: Process, operator: Operator, org_id: UUID
) -> None:
    assert await process.key(org_id) == OWN
    await put(operator, org_id, OTHERS)
    process.hears = False
    process.now += 0.6
    assert await process.key(org_id) == OTHERS


@pytest.mark.parametrize("kind", ["credentials", "organization", None])
async def test_a_change_is_seen_at_once(
    process: Process, operator: Operator, org_id: UUID, kind: str | None
) -> None:
    assert await process.key(org_id) == OWN
    await put(operator, org_id, OTHERS)
    process.keys.forget(Change(kind, org_id) if kind else None)  # type: ignore[arg-type]
    assert await process.key(org_id) == OTHERS


async def test_the_change_of_another_organization_costs_nothing(
    process: Process, operator: Operator, org_id: UUID
) -> None:
    assert await process.key(org_id) == OWN
    await put(operator, org_id, OTHERS)
    process.keys.forget(Change("credentials", uuid4()))
    process.keys.forget(Change("token", org_id))
    assert await process.key(org_id) == OWN


async def test_an_answer_that_a_change_has_overtaken_is_not_remembered(
    process: Process, operator: Operator, org_id: UUID
) -> None:
    asking = asyncio.create_task(process.key(org_id))
    # The question is under way by then, and its answer cannot have come yet.
    for _ in range(3):
        await asyncio.sleep(0)
    process.keys.forget(Change("credentials", org_id))
    assert await asking == OWN
    await put(operator, org_id, OTHERS)
    assert await process.key(org_id) == OTHERS


async def test_requests_that_miss_together_share_one_look_up(process: Process, org_id: UUID) -> None:
    first, *others = await asyncio.gather(*(process.keys.of(org_id) for _ in range(20)))
    assert first == {"openai": ProviderKey(OWN, "organization")}
    assert all(each is first for each in others)


async def test_without_a_database_nothing_is_guessed(process: Process, org_id: UUID) -> None:
    await process.postgres.close()
    with pytest.raises(IbexError) as caught:
        await process.keys.of(org_id)
    assert (caught.value.code, caught.value.status) == (ErrorCode.CREDENTIALS_UNAVAILABLE, 503)
    assert caught.value.headers == {"Retry-After": "1"}


async def test_a_key_does_not_show_in_a_repr(process: Process, org_id: UUID) -> None:
    assert OWN not in repr(await process.keys.of(org_id))
