"""The feed of changes: by message, by log, and what it does when either gives it trouble."""

import asyncio
from types import SimpleNamespace
from uuid import UUID

import psycopg
import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from ibex.auth import Change, ChangeFeed
from ibex.auth.changes import ChangeLog
from ibex.auth.changes.log import CHANNEL
from ibex.ids import uuid7
from ibex.storage import Postgres, connect_single
from tests.auth.feeds import NOWHERE_POSTGRES, NOWHERE_REDIS, feeding, until_heard
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator


class Subscription:
    """Hears nothing, and cannot be closed in time: what redis-py does with a server that hangs."""

    is_open = False

    async def subscribe(self, channel: str) -> None:
        self.is_open = True

    async def get_message(self, timeout: float) -> None:  # noqa: ASYNC109
        await asyncio.sleep(timeout)

    async def ping(self, message: str) -> None:
        return

    async def aclose(self) -> None:
        raise RedisTimeoutError("Timed out closing connection after 2.0")


async def test_it_stops_although_its_subscription_cannot_be_closed() -> None:
    subscription = Subscription()
    postgres = Postgres(NOWHERE_POSTGRES, connections=1, wait=0.1)
    feed = ChangeFeed(
        SimpleNamespace(pubsub=lambda: subscription),  # type: ignore[arg-type]
        postgres,
        lambda change: None,
    )
    feed.start()
    await until(lambda: subscription.is_open)
    async with asyncio.timeout(2.0):
        await feed.stop()


async def change(operator: Operator, *changes: Change, announced: bool = False) -> None:
    """Write changes down in one transaction, as those do who make them."""
    log = ChangeLog(operator.redis)
    async with operator.postgres.transaction(None) as connection:
        for one in changes:
            await log.note(connection, one)
    if announced:
        for one in changes:
            await log.announce(one)


def somebody() -> Change:
    return Change("token", uuid7())


async def test_a_change_is_heard_by_message_when_the_log_cannot_be_read(
    database: Database, operator: Operator
) -> None:
    """The log must have been read once; only then is it known that nothing was missed before."""
    heard: list[Change | None] = []
    async with feeding(database, heard.append) as feed:
        await until_heard(feed)
        await until(lambda: feed._listener.subscribed_at <= feed._reader.read_at)
        heard.clear()
        with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
            connection.execute("REVOKE EXECUTE ON FUNCTION ibex.changes_after FROM ibex_service")
        reads = feed._reader.read_at
        one = somebody()
        await operator.redis.publish(CHANNEL, b'{"kind":"token","id":"%s"}' % str(one.id).encode())
        await until(lambda: heard == [one], seconds=1.0)
        await until(lambda: feed._listener.heard_at - reads > 1.0)
        assert feed.is_live


async def test_a_change_is_heard_from_the_log_when_there_are_no_messages(
    database: Database, operator: Operator
) -> None:
    heard: list[Change | None] = []
    async with feeding(database, heard.append, redis_url=NOWHERE_REDIS) as feed:
        await until_heard(feed)
        heard.clear()
        one, another = somebody(), Change("organization", uuid7())
        await change(operator, one, another)
        assert await until(lambda: heard == [one, another]) < 1.0
        assert feed.is_live


async def test_a_change_that_was_written_but_not_announced_is_heard_all_the_same(
    database: Database, operator: Operator
) -> None:
    """Whoever made it could not reach Redis; whoever listens can."""
    heard: list[Change | None] = []
    async with feeding(database, heard.append) as feed:
        await until_heard(feed)
        heard.clear()
        one = somebody()
        await change(operator, one)
        assert await until(lambda: heard == [one]) < 1.0


async def test_with_neither_it_is_not_live(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    async with feeding(
        database, lambda change: None, redis_url=NOWHERE_REDIS, postgres_dsn=NOWHERE_POSTGRES
    ) as feed:
        await until(lambda: "changes are not announced any more (ConnectionError)" in caplog.text)
        await until(lambda: "the log of changes cannot be read (DatabaseUnavailableError" in caplog.text)
        assert not feed.is_live


async def test_a_subscription_alone_is_not_trusted(database: Database) -> None:
    """What was announced before it is in the log only."""
    async with feeding(database, lambda change: None, postgres_dsn=NOWHERE_POSTGRES) as feed:
        await until(lambda: feed._listener.heard_at > feed._listener.subscribed_at)
        assert not feed.is_live


async def test_an_outage_is_logged_once_and_so_is_its_end(
    database: Database, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    async with feeding(database, lambda change: None) as feed:
        await until_heard(feed)
        with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
            connection.execute("REVOKE EXECUTE ON FUNCTION ibex.changes_after FROM ibex_service")
            stopped_at = feed._reader.read_at
            await until(lambda: feed._listener.heard_at - stopped_at > 1.5)
            connection.execute("GRANT EXECUTE ON FUNCTION ibex.changes_after TO ibex_service")
        await until(lambda: feed._reader.read_at > stopped_at)
        assert caplog.text.count("the log of changes cannot be read (InsufficientPrivilege") == 1
        assert caplog.text.count("the log of changes is read again") == 1


async def test_who_was_cut_off_reads_what_was_said_meanwhile(
    database: Database, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Change | None] = []
    async with feeding(database, heard.append) as feed:
        await until_heard(feed)
        heard.clear()
        await operator.redis.client_kill_filter(_type="pubsub")
        missed = [somebody() for _ in range(5)]
        await change(operator, *missed, announced=True)
        assert await until(lambda: set(missed) <= set(heard)) < 1.0
        await until(lambda: "changes are announced again" in caplog.text)
        heard.clear()
        last = somebody()
        await change(operator, last, announced=True)
        await until(lambda: last in heard)
        assert None not in heard


@pytest.mark.parametrize("message", [b"", b"{}", b"[]", b"null", b'{"kind":"token"}', b'{"kind":"x","id":1}'])
async def test_a_message_that_makes_no_sense_drops_everything(
    database: Database, operator: Operator, message: bytes
) -> None:
    heard: list[Change | None] = []
    async with feeding(database, heard.append) as feed:
        await until_heard(feed)
        await until(lambda: feed._listener.subscribed_at < float("inf"))
        heard.clear()
        await operator.redis.publish(CHANNEL, message)
        await until(lambda: heard == [None])
        one = Change("token", UUID(int=1))
        await ChangeLog(operator.redis).announce(one)
        await until(lambda: heard == [None, one])


async def test_a_kind_of_change_that_this_version_does_not_know_drops_everything(
    database: Database, operator: Operator
) -> None:
    """A newer replica may make it during a rolling upgrade."""
    heard: list[Change | None] = []
    async with feeding(database, heard.append) as feed:
        await until_heard(feed)
        await until(lambda: feed._listener.subscribed_at < float("inf"))
        heard.clear()
        await operator.redis.publish(CHANNEL, b'{"kind":"planet","id":"%b"}' % str(uuid7()).encode())
        await until(lambda: heard == [None])
        heard.clear()
        await operator.postgres.fetch_all(
            None, "SELECT ibex.note_change('planet', %s)", (uuid7(),), row=psycopg.rows.tuple_row
        )
        await until(lambda: heard == [None])


async def test_numbers_have_no_gaps_and_a_reader_misses_none_of_many_writers(
    database: Database, operator: Operator
) -> None:
    """Also of those whose transaction takes its time, or comes to nothing."""
    heard: list[Change | None] = []
    redis = connect_single(NOWHERE_REDIS, timeout=0.1)
    log, made = ChangeLog(redis), []
    writers = Postgres(database.service_dsn, connections=8)
    await writers.open()

    async def write(number: int) -> None:
        for turn in range(10):
            one = somebody()
            try:
                async with writers.transaction(None) as connection:
                    await log.note(connection, one)
                    await connection.execute("SELECT pg_sleep(%s)", (0.002 * (number % 3),))
                    if (number + turn) % 5 == 0:
                        raise KeyError("thought better of it")
            except KeyError:
                continue
            made.append(one)

    async with feeding(database, heard.append, redis_url=NOWHERE_REDIS) as feed:
        await until_heard(feed)
        heard.clear()
        await asyncio.gather(*(write(number) for number in range(16)))
        await until(lambda: len(heard) >= len(made))
        assert sorted(heard, key=repr) == sorted(made, key=repr)
    with psycopg.connect(database.superuser_dsn) as connection:
        numbers = [row[0] for row in connection.execute("SELECT number FROM ibex.changes ORDER BY number")]
        order = [row[0] for row in connection.execute("SELECT subject FROM ibex.changes ORDER BY number")]
    assert numbers == list(range(1, len(made) + 1))
    assert [one.id for one in heard if one is not None] == order
    await writers.close()
    await redis.aclose()


REWRITES = {
    "emptied": "TRUNCATE ibex.changes",
    "pruned": "DELETE FROM ibex.changes WHERE number < 9; UPDATE ibex.changes SET number = number + 9",
    "restored": "DELETE FROM ibex.changes WHERE number > 2",
    "restored and gone on": "UPDATE ibex.changes SET at = at - interval '1 minute' WHERE number > 2;"
    " INSERT INTO ibex.changes SELECT 99, 'token', gen_random_uuid()",
    "too many": "INSERT INTO ibex.changes SELECT n, 'token', gen_random_uuid()"
    " FROM generate_series(100, 1200) AS n",
}


@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=REWRITES)
async def test_a_log_that_does_not_go_on_from_where_it_was_drops_everything(
    database: Database, operator: Operator, rewrite: str
) -> None:
    heard: list[Change | None] = []
    await change(operator, *(somebody() for _ in range(9)))
    async with feeding(database, heard.append, redis_url=NOWHERE_REDIS) as feed:
        await until_heard(feed)
        heard.clear()
        with psycopg.connect(database.superuser_dsn) as connection:
            connection.execute(rewrite.encode())
        await until(lambda: heard == [None])
        heard.clear()
        one = somebody()
        await change(operator, one)
        await until(lambda: heard == [one])


async def test_a_log_is_kept_for_an_hour_and_its_last_entry_for_ever(
    database: Database, operator: Operator
) -> None:
    def numbers() -> list[int]:
        with psycopg.connect(database.superuser_dsn) as connection:
            return [row[0] for row in connection.execute("SELECT number FROM ibex.changes ORDER BY number")]

    await change(operator, *(somebody() for _ in range(5)))
    with psycopg.connect(database.superuser_dsn) as connection:
        # The clock was put back in between: the third entry looks younger than the fourth.
        connection.execute(
            "UPDATE ibex.changes SET at = at - interval '61 minutes' WHERE number IN (1, 2, 4)"
        )
    await change(operator, somebody())
    assert numbers() == [5, 6]
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.changes SET at = at - interval '1 day'")
    await change(operator, somebody())
    assert numbers() == [7]


async def test_the_service_writes_and_reads_the_log_by_its_functions_only(operator: Operator) -> None:
    for statement in ("SELECT 1 FROM ibex.changes", "INSERT INTO ibex.changes VALUES (1)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await operator.postgres.execute(None, statement)
