"""A change reaches a process that remembers otherwise, whichever of the two ways is closed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import Administration, ChangeFeed, TokenValidator
from ibex.errors import ErrorCode
from ibex.storage import connect_single
from tests.auth.feeds import NOWHERE_POSTGRES, NOWHERE_REDIS, feeding, until_heard
from tests.auth.validators import Checked, checking
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import KEYS, PEPPER, QUOTA, Operator

# The promise: every process refuses within a second.
SOON = 1.0


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


@asynccontextmanager
async def remembering(database: Database, **servers: str) -> AsyncIterator[tuple[Checked, ChangeFeed]]:
    """A validator and its feed, which reaches the servers that are not replaced by another."""
    feeds: list[ChangeFeed] = []
    async with (
        checking(database, feed_is_live=lambda: feeds[0].is_live) as checked,
        feeding(database, checked.validator.forget, **servers) as feed,
    ):
        feeds.append(feed)
        yield checked, feed


def answers(checked: Checked, text: str, code: str) -> Callable[[], Awaitable[bool]]:
    async def does() -> bool:
        return await checked.code(text) == code

    return does


async def test_a_revocation_and_a_pause_are_heard_of_by_message(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text, another = await operator.token(org_id), await operator.token(org_id)
    async with remembering(database) as (checked, feed):
        await until_heard(feed)
        assert await checked.code(text) == "helper"
        assert await checked.code(another) == "helper"
        await operator.revoke(org_id, text)
        await until(answers(checked, text, ErrorCode.TOKEN_REVOKED), seconds=SOON)
        await operator.pause(org_id)
        await until(answers(checked, another, ErrorCode.AGENT_SUSPENDED), seconds=SOON)
        await operator.resume(org_id)
        await until(answers(checked, another, "helper"), seconds=SOON)


async def test_who_cannot_hear_messages_hears_of_it_from_the_log(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text, another = await operator.token(org_id), await operator.token(org_id)
    async with remembering(database, redis_url=NOWHERE_REDIS) as (checked, feed):
        await until_heard(feed)
        assert await checked.code(text) == "helper"
        assert await checked.code(another) == "helper"
        asked = checked.statements
        await operator.revoke(org_id, text)
        await until(answers(checked, text, ErrorCode.TOKEN_REVOKED), seconds=SOON)
        # What has not changed is still remembered: without messages nothing else is slower.
        assert await checked.code(another) == "helper"
        assert checked.statements == asked + 1


async def test_who_is_cut_off_while_it_happens_hears_of_it_from_the_log(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    async with remembering(database) as (checked, feed):
        await until_heard(feed)
        assert await checked.code(text) == "helper"
        await operator.redis.client_kill_filter(_type="pubsub")
        await operator.revoke(org_id, text)
        await until(answers(checked, text, ErrorCode.TOKEN_REVOKED), seconds=SOON)


async def test_whoever_revokes_it_need_not_reach_redis(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    issued = await operator.issue(org_id)
    nowhere = connect_single(NOWHERE_REDIS, timeout=0.1)
    cut_off = Administration.over(operator.postgres, nowhere, PEPPER, KEYS, (), QUOTA)
    async with remembering(database) as (checked, feed):
        await until_heard(feed)
        assert await checked.code(issued.text) == "helper"
        await cut_off.tokens.revoke(operator.actor(org_id), issued.record.id)
        await until(answers(checked, issued.text, ErrorCode.TOKEN_REVOKED), seconds=SOON)
    await nowhere.aclose()


async def test_a_user_an_organization_and_a_role_are_heard_of_too(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """As their services note it: the row, then the change."""
    text = await operator.token(org_id)
    async with remembering(database, redis_url=NOWHERE_REDIS) as (checked, feed):
        await until_heard(feed)
        for status, code in (("suspended", ErrorCode.ORGANIZATION_SUSPENDED), ("active", "helper")):
            async with operator.postgres.transaction(org_id) as connection:
                await connection.execute("UPDATE ibex.organizations SET status = %s", (status,))
                await connection.execute("SELECT ibex.note_change('organization', %s)", (org_id,))
            await until(answers(checked, text, code), seconds=SOON)


async def test_with_neither_way_open_nothing_older_than_half_a_second_is_used(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """Whatever the cache may keep: each entry's time is its own, and the feed has said nothing for it."""
    text = await operator.token(org_id)
    async with remembering(database, redis_url=NOWHERE_REDIS, postgres_dsn=NOWHERE_POSTGRES) as (
        checked,
        feed,
    ):
        assert not feed.is_live
        assert await checked.code(text) == "helper"
        with psycopg.connect(database.superuser_dsn) as connection:
            connection.execute("UPDATE ibex.tokens SET revoked_at = now()")
        checked.clock.now += 0.49
        assert await checked.code(text) == "helper"
        checked.clock.now += 0.02
        assert await checked.code(text) == ErrorCode.TOKEN_REVOKED


async def test_a_log_that_was_reset_makes_everything_be_asked_anew(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """After a restore the database may know other things than it did."""
    text = await operator.token(org_id)
    await operator.pause(org_id)
    await operator.resume(org_id)
    async with remembering(database, redis_url=NOWHERE_REDIS) as (checked, feed):
        await until_heard(feed)
        assert await checked.code(text) == "helper"
        with psycopg.connect(database.superuser_dsn) as connection:
            connection.execute(
                "DELETE FROM ibex.changes WHERE number = (SELECT max(number) FROM ibex.changes)"
            )
            connection.execute("UPDATE ibex.tokens SET revoked_at = now()")
        await until(answers(checked, text, ErrorCode.TOKEN_REVOKED), seconds=SOON)


@pytest.mark.parametrize("changes", [1, 500])
async def test_many_changes_of_others_leave_what_is_remembered(
    database: Database, operator: Operator, org_id: UUID, changes: int
) -> None:
    text = await operator.token(org_id)
    async with remembering(database, redis_url=NOWHERE_REDIS) as (checked, feed):
        await until_heard(feed)
        await checked.code(text)
        generation = _generation(checked.validator)
        await operator.postgres.execute(
            None,
            "SELECT ibex.note_change('token', gen_random_uuid()) FROM generate_series(1, %s)",
            (changes,),
        )
        await until(lambda: _generation(checked.validator) == generation + changes)
        assert await checked.code(text) == "helper"
        assert checked.statements == 1


def _generation(validator: TokenValidator) -> int:
    """How many changes it has heard of."""
    return validator._judgements._generation
