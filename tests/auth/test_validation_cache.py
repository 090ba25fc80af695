"""The cache of principals: when it answers, when it must not, and that it stays small."""

import asyncio
import gc
import os
import signal
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from ibex.auth import CHAT, TokenValidator, invalidation, tokens, validation
from ibex.auth.invalidation import Change, ChangeFeed
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from ibex.storage import DatabaseUnavailableError, connect_single
from tests.auth.validators import Checked, checking
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


def _id(text: str) -> UUID:
    token = tokens.parse(text)
    assert token is not None
    return token.id


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
    text = str(
        await operator.administration.create_token(
            org_id, "short", CHAT, agent="helper", expires_at=expires_at
        )
    )
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
    await operator.administration.create_agent(org_id, "Other", "other")
    text = await operator.token(org_id, agent=None)
    async with checking(database) as checked:
        assert await checked.code(text, "helper") == "helper"
        assert await checked.code(text, "other") == "other"
        assert await checked.code(text) == ErrorCode.MISSING_AGENT_ID


async def test_a_refused_token_is_remembered(database: Database, operator: Operator, org_id: UUID) -> None:
    text = str(tokens.generate(uuid7()))
    async with checking(database) as checked:
        for _ in range(10):
            assert await checked.code(text) == ErrorCode.INVALID_TOKEN
        assert checked.statements == 1


async def test_a_refusal_is_remembered_as_long_as_an_entry(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    token = tokens.generate(uuid7())
    async with checking(database, cache_seconds=30.0) as checked:
        await checked.code(str(token))
        await operator.administration.create_token(org_id, "late", CHAT, agent="helper", token=token)
        checked.clock.now += 29.9
        assert await checked.code(str(token)) == ErrorCode.INVALID_TOKEN
        checked.clock.now += 0.2
        assert await checked.code(str(token)) == "helper"
        assert checked.statements == 2


async def test_an_agent_is_cached_once_however_its_id_is_spelled(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    agent_id = str((await operator.administration.find_agent(org_id, "helper")).id)
    spellings = (agent_id, agent_id.upper(), agent_id.capitalize(), agent_id.replace("-", "") + "----")
    async with checking(database) as checked:
        for spelling in spellings:
            assert await checked.code(text, spelling) == "helper"
        assert checked.statements == 1
        assert len(checked.validator._entries) == 1


async def test_what_may_be_lifted_is_not_remembered(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    await operator.administration.pause_agent(org_id, "helper")
    async with checking(database) as checked:
        assert await checked.code(text) == ErrorCode.AGENT_SUSPENDED
        await operator.administration.resume_agent(org_id, "helper")
        assert await checked.code(text) == "helper"


async def test_a_token_that_was_refused_before_it_existed_is_admitted_once_all_may_have_changed(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """As after a database was restored: the feed then says that anything may have changed."""
    token = tokens.generate(uuid7())
    async with checking(database) as checked:
        assert await checked.code(str(token)) == ErrorCode.INVALID_TOKEN
        await operator.administration.create_token(org_id, "late", CHAT, agent="helper", token=token)
        checked.validator.forget(None)
        assert await checked.code(str(token)) == "helper"


@pytest.mark.parametrize("kind", ["token", "agent", "organization", None])
async def test_a_change_drops_what_it_touches(
    database: Database, operator: Operator, org_id: UUID, kind: invalidation.Kind | None
) -> None:
    text = await operator.token(org_id)
    other_org = await operator.organization("globex")
    other = await operator.token(other_org)
    async with checking(database) as checked:
        principal = await checked.validator.authenticate(text, None)
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
            await operator.administration.revoke_token(org_id, _id(text))
            checked.validator.forget(Change("token", _id(text)))

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
        await operator.administration.revoke_token(org_id, _id(text))
        checked.validator.forget(Change("token", _id(text)))
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
        await operator.administration.revoke_token(org_id, _id(text))
        checked.clock.now += 0.49
        assert await checked.code(text) == "helper"
        checked.clock.now += 0.02
        assert await checked.code(text) == ErrorCode.TOKEN_REVOKED


async def test_with_the_feed_a_revocation_and_a_pause_are_seen_at_once(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text, another = await operator.token(org_id), await operator.token(org_id)
    redis = connect_single(database.redis_url, timeout=2.0)
    async with checking(database) as checked:
        feed = ChangeFeed(redis, checked.validator.forget)
        feed.start()
        try:
            await until(lambda: feed.is_live)
            assert await checked.code(text) == "helper"
            assert await checked.code(another) == "helper"
            await operator.administration.revoke_token(org_id, _id(text))
            assert await until(lambda: _is(checked, text, ErrorCode.TOKEN_REVOKED), seconds=1.0) < 0.5
            await operator.administration.pause_agent(org_id, "helper")
            assert await until(lambda: _is(checked, another, ErrorCode.AGENT_SUSPENDED), seconds=1.0) < 0.5
            await operator.administration.resume_agent(org_id, "helper")
            assert await checked.code(another) == "helper"
        finally:
            await feed.stop()
            await redis.aclose()


async def _is(checked: Checked, text: str, code: ErrorCode) -> bool:
    return await checked.code(text) == code


async def test_a_feed_that_was_cut_off_drops_everything_when_it_is_back(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """Whatever was said meanwhile was missed."""
    text = await operator.token(org_id)
    redis = connect_single(database.redis_url, timeout=2.0)
    async with checking(database) as checked:
        feed = ChangeFeed(redis, checked.validator.forget)
        feed.start()
        try:
            await until(lambda: feed.is_live)
            await checked.code(text)
            with psycopg.connect(database.superuser_dsn) as connection:
                connection.execute("UPDATE ibex.tokens SET revoked_at = now()")
            await operator.redis.client_kill_filter(_type="pubsub")
            await until(lambda: _is(checked, text, ErrorCode.TOKEN_REVOKED), seconds=2.0)
            await until(lambda: feed.is_live, seconds=2.0)
        finally:
            await feed.stop()
            await redis.aclose()


@pytest.mark.parametrize("message", [b"", b"{}", b"[]", b"null", b'{"kind":"token"}', b'{"kind":"x","id":1}'])
async def test_a_message_that_makes_no_sense_drops_everything(database: Database, message: bytes) -> None:
    heard: list[Change | None] = []
    redis = connect_single(database.redis_url, timeout=2.0)
    feed = ChangeFeed(redis, heard.append)
    feed.start()
    try:
        await until(lambda: feed.is_live)
        heard.clear()
        await redis.publish(invalidation.CHANNEL, message)
        await until(lambda: heard == [None])
        await invalidation.publish(redis, Change("token", UUID(int=1)))
        await until(lambda: heard == [None, Change("token", UUID(int=1))])
    finally:
        await feed.stop()
        await redis.aclose()


async def test_a_kind_of_change_that_this_version_does_not_know_drops_everything(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """A newer replica may announce it during a rolling upgrade."""
    text = await operator.token(org_id)
    redis = connect_single(database.redis_url, timeout=2.0)
    async with checking(database) as checked:
        feed = ChangeFeed(redis, checked.validator.forget)
        feed.start()
        try:
            await until(lambda: feed.is_live)
            await checked.code(text)
            await redis.publish(invalidation.CHANNEL, b'{"kind":"user","id":"%b"}' % str(uuid7()).encode())
            before = checked.statements

            async def asks_again() -> bool:
                await checked.code(text)
                return checked.statements > before

            await until(asks_again)
        finally:
            await feed.stop()
            await redis.aclose()


async def test_a_database_that_is_away_lets_fresh_entries_pass_and_nobody_else(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    cached, other = await operator.token(org_id), await operator.token(org_id)
    async with checking(database, within=0.05) as checked:
        await until(lambda: _is(checked, cached, "helper"))  # type: ignore[arg-type]

        async def away() -> None:
            raise DatabaseUnavailableError

        checked.postgres.before = away
        assert await checked.code(cached) == "helper"
        with pytest.raises(IbexError) as caught:
            await checked.validator.authenticate(other, None)
        assert (caught.value.code, caught.value.status) == (ErrorCode.AUTH_UNAVAILABLE, 503)
        assert caught.value.headers["Retry-After"] == "1"
        checked.clock.now += 31
        assert await checked.code(cached) == ErrorCode.AUTH_UNAVAILABLE
        checked.postgres.before = None
        await until(lambda: _is(checked, cached, "helper"))  # type: ignore[arg-type]


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
        await until(lambda: _is(checked, text, "helper"))  # type: ignore[arg-type]


async def test_the_cache_is_bounded(
    database: Database, operator: Operator, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "_CAPACITY", 3)
    texts = [await operator.token(org_id) for _ in range(5)]
    async with checking(database) as checked:
        for text in texts:
            assert await checked.code(text) == "helper"
        assert len(checked.validator._entries) == 3
        assert await checked.code(texts[0]) == "helper"
        assert checked.statements == 6
        for _ in range(5):
            assert await checked.code(str(tokens.generate(uuid7()))) == ErrorCode.INVALID_TOKEN
        assert len(checked.validator._refused) == 3


class NoRows:
    """A database that knows no token, and does not tell how many were looked up."""

    async def fetch_one(self, *arguments: object, **options: object) -> None:
        await asyncio.sleep(0)


async def test_ten_thousand_random_tokens_leave_memory_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_CAPACITY", 500)
    validator = _validator(NoRows())

    async def refuse(token: tokens.Token) -> None:
        with suppress(IbexError):
            await validator.authenticate(str(token), None)

    async def flood(count: int) -> None:
        for _ in range(count // 50):
            await asyncio.gather(*(refuse(tokens.generate(uuid7())) for _ in range(50)))

    await flood(1_000)
    gc.collect()
    tracemalloc.start()
    await flood(1_000)
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    await flood(8_000)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(validator._refused) == 500
    assert len(validator._lookups) == 0
    # Eight thousand digests that were kept would take more than 800 kB.
    assert after - before < 128 << 10


class NoDatabase:
    """A database that must not be asked."""

    async def fetch_one(self, *arguments: object, **options: object) -> None:
        pytest.fail("a malformed token must not reach the database")


@given(st.text(max_size=120))
def test_random_text_causes_no_query(text: str) -> None:
    validator = _validator(NoDatabase())
    with pytest.raises(IbexError) as caught:
        asyncio.run(validator.authenticate(text, None))
    assert caught.value.code is ErrorCode.INVALID_TOKEN
    assert not validator._refused


def _validator(database: object) -> TokenValidator:
    return TokenValidator(
        database,  # type: ignore[arg-type]
        b"pepper",
        cache_seconds=30,
        timeout=5,
        feed_is_live=lambda: True,
    )
