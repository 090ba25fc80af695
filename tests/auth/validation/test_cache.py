"""The cache of principals: when it answers, when it must not, and that it stays small."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import CHAT, Change, Grant, TokenRequest, token_id
from ibex.auth.changes.change import Kind
from ibex.auth.tokens import secret
from ibex.auth.tokens.secret import Token
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from ibex.storage import DatabaseUnavailableError
from tests.auth.validators import Checked, checking
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import PEPPER, Operator


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


def id_of(text: str) -> UUID:
    found = token_id(text)
    assert found is not None
    return found


async def late(operator: Operator, org_id: UUID, token: Token) -> None:
    """Create a token whose text has been used before."""
    helper = await operator.agent(org_id)
    request = TokenRequest("late", Grant(CHAT), agent_id=helper.id)
    await operator.administration.tokens.create(operator.actor(org_id), request, token)


async def test_a_hit_asks_the_database_nothing(database: Database, operator: Operator, org_id: UUID) -> None:
    text = await operator.token(org_id)
    async with checking(database) as checked:
        for _ in range(10):
            assert await checked.code(text) == "helper"
        assert checked.statements == 1


async def test_an_entry_lives_as_long_as_the_setting_says(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    async with checking(database, cache_seconds=30.0) as checked:
        await checked.code(text)
        checked.clock.now += 29.9
        await checked.code(text)
        assert checked.statements == 1
        checked.clock.now += 0.2
        await checked.code(text)
        assert checked.statements == 2


async def test_no_caching_means_none(database: Database, operator: Operator, org_id: UUID) -> None:
    text = await operator.token(org_id)
    async with checking(database, cache_seconds=0.0) as checked:
        await checked.code(text)
        await checked.code(text)
        assert checked.statements == 2


async def test_an_entry_never_outlives_its_token(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=5)
    text = (await operator.issue(org_id, expires_at=expires_at)).text
    async with checking(database) as checked:
        assert await checked.code(text) == "helper"
        checked.clock.now += 5.0
        with psycopg.connect(database.superuser_dsn) as connection:
            connection.execute("UPDATE ibex.tokens SET expires_at = now()")
        assert await checked.code(text) == ErrorCode.TOKEN_EXPIRED
        assert checked.statements == 2


async def test_misses_at_the_same_time_share_one_look_up(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    async with checking(database) as checked:
        assert await asyncio.gather(*(checked.code(text) for _ in range(64))) == ["helper"] * 64
        assert checked.statements == 1


async def test_a_caller_that_leaves_does_not_end_the_look_up_of_the_others(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    async with checking(database) as checked:
        leaver = asyncio.create_task(checked.code(text))
        stayer = asyncio.create_task(checked.code(text))
        await asyncio.sleep(0)
        leaver.cancel()
        assert await stayer == "helper"
        assert checked.statements == 1


async def test_agents_are_told_apart(database: Database, operator: Operator, org_id: UUID) -> None:
    await operator.create_agent(org_id, "Other", "other")
    text = await operator.token(org_id, agent=None)
    async with checking(database) as checked:
        assert await checked.code(text, "helper") == "helper"
        assert await checked.code(text, "other") == "other"
        assert await checked.code(text) == ErrorCode.MISSING_AGENT_ID


async def test_a_refused_token_is_remembered(database: Database, operator: Operator, org_id: UUID) -> None:
    text = secret.generate(uuid7()).text(PEPPER)
    async with checking(database) as checked:
        for _ in range(10):
            assert await checked.code(text) == ErrorCode.INVALID_TOKEN
        assert checked.statements == 1


async def test_a_refusal_is_remembered_as_long_as_an_entry(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    token = secret.generate(uuid7())
    async with checking(database, cache_seconds=30.0) as checked:
        await checked.code(token.text(PEPPER))
        await late(operator, org_id, token)
        checked.clock.now += 29.9
        assert await checked.code(token.text(PEPPER)) == ErrorCode.INVALID_TOKEN
        checked.clock.now += 0.2
        assert await checked.code(token.text(PEPPER)) == "helper"
        assert checked.statements == 2


async def test_an_agent_is_cached_once_however_its_id_is_spelled(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    agent_id = str((await operator.agent(org_id, "helper")).id)
    spellings = (agent_id, agent_id.upper(), agent_id.capitalize(), agent_id.replace("-", "") + "----")
    async with checking(database) as checked:
        for spelling in spellings:
            assert await checked.code(text, spelling) == "helper"
        assert checked.statements == 1
        assert len(checked.validator._judgements) == 1


async def test_what_may_be_lifted_is_remembered_until_it_is(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """Whoever goes on calling as a paused agent costs the database no more than anybody else."""
    text = await operator.token(org_id)
    await operator.pause(org_id, "helper")
    async with checking(database) as checked:
        for _ in range(10):
            assert await checked.code(text) == ErrorCode.AGENT_SUSPENDED
        assert checked.statements == 1
        await operator.resume(org_id, "helper")
        checked.validator.forget(Change("agent", (await operator.agent(org_id)).id))
        assert await checked.code(text) == "helper"


async def test_an_agent_that_is_not_there_is_not_remembered(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id, agent=None)
    async with checking(database) as checked:
        assert await checked.code(text, "late") == ErrorCode.AGENT_NOT_AUTHORIZED
        await operator.create_agent(org_id, "Late", "late")
        assert await checked.code(text, "late") == "late"


async def test_a_token_that_was_refused_before_it_existed_is_admitted_once_all_may_have_changed(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """As after a database was restored: the feed then says that anything may have changed."""
    token = secret.generate(uuid7())
    async with checking(database) as checked:
        assert await checked.code(token.text(PEPPER)) == ErrorCode.INVALID_TOKEN
        await late(operator, org_id, token)
        checked.validator.forget(None)
        assert await checked.code(token.text(PEPPER)) == "helper"


@pytest.mark.parametrize("kind", ["token", "agent", "organization", None])
async def test_a_change_drops_what_it_touches(
    database: Database, operator: Operator, org_id: UUID, kind: Kind | None
) -> None:
    text = await operator.token(org_id)
    other_org = await operator.organization("globex")
    other = await operator.token(other_org)
    async with checking(database) as checked:
        principal = await checked.validator.authenticate_agent(text, None, None)
        await checked.code(other)
        ids = {"token": principal.token_id, "agent": principal.agent_id, "organization": principal.org_id}
        checked.validator.forget(Change(kind, ids[kind]) if kind else None)
        await checked.code(text)
        assert checked.statements == 3
        await checked.code(other)
        assert checked.statements == (3 if kind else 4)


async def test_a_look_up_that_a_change_overtook_is_not_cached(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    async with checking(database) as checked:

        async def revoke() -> None:
            checked.postgres.after = None
            await operator.revoke(org_id, text)
            checked.validator.forget(Change("token", id_of(text)))

        checked.postgres.after = revoke
        await checked.code(text)
        assert await checked.code(text) == ErrorCode.TOKEN_REVOKED


async def test_who_asks_after_a_change_does_not_get_the_answer_from_before_it(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """A look-up that has read the old row and is slow to return must not be joined any more."""
    text = await operator.token(org_id)
    async with checking(database) as checked:
        has_read, may_return = asyncio.Event(), asyncio.Event()

        async def dawdle() -> None:
            checked.postgres.after = None
            has_read.set()
            await may_return.wait()

        checked.postgres.after = dawdle
        early = asyncio.create_task(checked.code(text))
        await has_read.wait()
        await operator.revoke(org_id, text)
        checked.validator.forget(Change("token", id_of(text)))
        assert await checked.code(text) == ErrorCode.TOKEN_REVOKED
        may_return.set()
        await early
        assert await checked.code(text) == ErrorCode.TOKEN_REVOKED


async def test_without_the_feed_an_entry_is_trusted_for_half_a_second(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    async with checking(database) as checked:
        checked.feed[0] = False
        await checked.code(text)
        await operator.revoke(org_id, text)
        checked.clock.now += 0.49
        assert await checked.code(text) == "helper"
        checked.clock.now += 0.02
        assert await checked.code(text) == ErrorCode.TOKEN_REVOKED


async def _is(checked: Checked, text: str, code: str) -> bool:
    return await checked.code(text) == code


async def test_a_database_that_is_away_lets_fresh_entries_pass_and_nobody_else(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    cached, other = await operator.token(org_id), await operator.token(org_id)
    async with checking(database, within=0.05) as checked:
        await until(lambda: _is(checked, cached, "helper"))

        async def away() -> None:
            raise DatabaseUnavailableError

        checked.postgres.before = away
        assert await checked.code(cached) == "helper"
        with pytest.raises(IbexError) as caught:
            await checked.validator.authenticate_agent(other, None, None)
        assert (caught.value.code, caught.value.status) == (ErrorCode.AUTH_UNAVAILABLE, 503)
        assert caught.value.headers["Retry-After"] == "1"
        checked.clock.now += 31
        assert await checked.code(cached) == ErrorCode.AUTH_UNAVAILABLE
        checked.postgres.before = None
        await until(lambda: _is(checked, cached, "helper"))


async def test_a_look_up_that_the_database_refuses_is_no_error_of_the_caller(
    database: Database, operator: Operator, org_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    text = await operator.token(org_id)
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("REVOKE EXECUTE ON FUNCTION ibex.find_principal FROM ibex_service")
    async with checking(database) as checked:
        assert await checked.code(text) == ErrorCode.AUTH_UNAVAILABLE
    assert "a token cannot be looked up: InsufficientPrivilege" in caplog.text
    assert text.rpartition("_")[2] not in caplog.text


async def test_a_database_that_hangs_is_given_up_after_the_deadline_and_recovers(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    async with checking(database, within=0.05) as checked:
        await checked.postgres.ping()
        with psycopg.connect(database.superuser_dsn) as connection:
            row = connection.execute(
                "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = 'ibex'"
            ).fetchone()
        assert row is not None
        for pid in row[0]:
            os.kill(pid, signal.SIGSTOP)
        try:
            loop = asyncio.get_running_loop()
            started = loop.time()
            assert await checked.code(text) == ErrorCode.AUTH_UNAVAILABLE
            assert loop.time() - started < 1.0
        finally:
            for pid in row[0]:
                os.kill(pid, signal.SIGCONT)
        await until(lambda: _is(checked, text, "helper"))


async def test_the_cache_is_bounded(database: Database, operator: Operator, org_id: UUID) -> None:
    texts = [await operator.token(org_id) for _ in range(5)]
    async with checking(database, capacity=3) as checked:
        for text in texts:
            assert await checked.code(text) == "helper"
        assert len(checked.validator._judgements) == 3
        assert await checked.code(texts[0]) == "helper"
        assert checked.statements == 6
        for _ in range(5):
            assert await checked.code(secret.generate(uuid7()).text(PEPPER)) == ErrorCode.INVALID_TOKEN
        assert len(checked.validator._unknown) == 3
