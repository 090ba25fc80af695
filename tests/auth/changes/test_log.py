"""The log of changes: written with its cause, announced when possible, and complete without that."""

from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import Administration
from ibex.auth.changes import Change, ChangeLog, repository
from ibex.auth.changes.log import CHANNEL
from ibex.auth.changes.repository import Position
from ibex.ids import uuid7
from ibex.storage import connect_single
from tests.operator import KEYS, PEPPER, QUOTA, Operator


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


async def test_a_change_that_cannot_be_announced_holds_and_is_in_the_log(
    operator: Operator, org_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    issued, helper = await operator.issue(org_id), await operator.agent(org_id)
    nowhere = connect_single("redis://127.0.0.1:1", timeout=0.1)
    cut_off = Administration.over(operator.postgres, nowhere, PEPPER, KEYS, (), QUOTA)
    await cut_off.tokens.revoke(operator.actor(org_id), issued.record.id)
    await cut_off.agents.pause(operator.actor(org_id), helper.id)
    await nowhere.aclose()
    assert (await operator.administration.tokens.get(org_id, issued.record.id)).revoked_at is not None
    assert (await operator.agent(org_id)).status == "paused"
    news = await repository.changes_after(operator.postgres, Position())
    assert news is not None
    assert list(zip(news.kinds, news.subjects, strict=True)) == [
        ("token", issued.record.id),
        ("agent", helper.id),
    ]
    assert caplog.text.count("a change was not announced (ConnectionError)") == 2


async def test_an_announcement_says_what_changed_and_nothing_else(operator: Operator) -> None:
    change = Change("token", uuid7())
    async with operator.redis.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        await subscription.get_message(timeout=2.0)
        await ChangeLog(operator.redis).announce(change)
        message = await subscription.get_message(timeout=2.0)
    assert message is not None
    assert message["data"] == b'{"kind":"token","id":"%s"}' % str(change.id).encode()


async def test_an_entry_is_small_because_every_process_reads_it(operator: Operator, org_id: UUID) -> None:
    async with operator.postgres.transaction(org_id) as connection:
        with pytest.raises(psycopg.errors.CheckViolation):
            await repository.note(connection, "x" * 100_000, org_id)
