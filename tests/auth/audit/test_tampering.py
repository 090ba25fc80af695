"""Whatever is done to a chain behind the guards, verification says at which number."""

import asyncio
from collections.abc import Callable

import pytest
import pytest_asyncio

from ibex.auth.audit import Head, StoredEvent
from tests.auth.audit.chains import Chain

_LAST = 7


@pytest_asyncio.fixture
async def seven(chain: Chain) -> Chain:
    """A chain of seven events."""
    await chain.write(_LAST - 2, slug="a")
    assert await chain.broken_at() is None
    return chain


@pytest.mark.parametrize("number", [1, 4, _LAST])
@pytest.mark.parametrize(
    "change",
    [
        "id = gen_random_uuid()",
        "at = at + interval '1 microsecond'",
        "at = 'infinity'",
        "actor = 'nobody'",
        "actor = actor || ' '",
        "action = 'agent.resume'",
        "target = 'another'",
        "target = NULL",
        "outcome = 'refused'",
        "request_id = gen_random_uuid()",
        "address = '203.0.113.7'",
        """detail = '{"slug":"b"}'""",
        "detail = detail || ' '",
        "previous_hash = sha256('x')",
        "previous_hash = ''",
        "hash = sha256('x')",
        "hash = previous_hash",
    ],
)
async def test_a_field_that_is_altered_is_found(seven: Chain, number: int, change: str) -> None:
    seven.tamper(f"UPDATE ibex.audit_events SET {change} WHERE number = {number}")
    assert await seven.broken_at() == number


async def test_every_column_is_among_those_that_are_altered(seven: Chain) -> None:
    """A column that is added must be hashed, or be here with a reason."""
    with seven.tampering() as connection:
        columns = {
            row[0]
            for row in connection.execute(
                "SELECT attname FROM pg_attribute "
                "WHERE attrelid = 'ibex.audit_events'::regclass AND attnum > 0 AND NOT attisdropped"
            )
        }
    assert columns == set(StoredEvent.__dataclass_fields__)


async def test_the_mask_of_an_address_is_hashed_too(chain: Chain) -> None:
    with chain.tampering() as connection:
        connection.execute("SET session_replication_role = origin")
        connection.execute("SELECT set_config('app.current_org_id', %s, true)", (str(chain.org_id),))
        connection.execute(
            "INSERT INTO ibex.audit_events (org_id, id, actor, action, outcome, address) "
            "VALUES (%s, gen_random_uuid(), 'cli', 'agent.pause', 'success', '203.0.113.7')",
            (chain.org_id,),
        )
    assert await chain.broken_at() is None
    chain.tamper("UPDATE ibex.audit_events SET address = '203.0.113.7/8' WHERE number = 3")
    assert await chain.broken_at() == 3


@pytest.mark.parametrize("number", [1, 4, _LAST])
async def test_an_event_that_is_gone_is_found(seven: Chain, number: int) -> None:
    seven.tamper(f"DELETE FROM ibex.audit_events WHERE number = {number}")
    assert await seven.broken_at() == number


async def test_a_gap_that_is_closed_by_renumbering_is_found(seven: Chain) -> None:
    seven.tamper("DELETE FROM ibex.audit_events WHERE number = 4")
    for number in range(5, _LAST + 1):
        seven.tamper(f"UPDATE ibex.audit_events SET number = {number - 1} WHERE number = {number}")
    assert await seven.broken_at() == 4


async def test_a_tail_that_is_cut_is_found_by_the_head(seven: Chain) -> None:
    seven.tamper("DELETE FROM ibex.audit_events WHERE number > 4")
    assert await seven.broken_at() == 5


async def test_a_tail_that_is_cut_with_the_head_is_found_by_the_head_that_was_noted(seven: Chain) -> None:
    noted = str(await seven.audit.head(seven.org_id))
    earlier = await _head_at(seven, 3)
    assert await seven.broken_at(noted) is None
    cut_off(seven, after=4)
    assert await seven.broken_at() is None
    assert await seven.broken_at(earlier) is None
    assert await seven.broken_at(noted) == 5


async def test_a_tail_that_is_written_anew_is_found_by_the_head_that_was_noted(seven: Chain) -> None:
    noted = str(await seven.audit.head(seven.org_id))
    cut_off(seven, after=4)
    await seven.write(5, slug="another")
    assert await seven.broken_at() is None
    assert await seven.broken_at(noted) == _LAST


@pytest.mark.parametrize("noted", ["0:" + "0" * 64, "3:" + "0" * 64])
async def test_a_head_that_never_was_is_no_part_of_the_chain(seven: Chain, noted: str) -> None:
    assert await seven.broken_at(noted) == Head.parse(noted).number


async def test_the_head_of_a_chain_without_events_is_part_of_every_later_one(seven: Chain) -> None:
    assert await seven.broken_at(str(Head.before_the_first(str(seven.org_id)))) is None


async def test_events_that_change_places_are_found(seven: Chain) -> None:
    seven.tamper(
        "UPDATE ibex.audit_events SET number = CASE number WHEN 3 THEN -5 ELSE -3 END WHERE number IN (3, 5)"
    )
    seven.tamper("UPDATE ibex.audit_events SET number = -number WHERE number < 0")
    assert await seven.broken_at() == 3


async def test_a_forged_event_at_the_end_is_found(seven: Chain) -> None:
    """With a link and a hash that are right, and past the head that the database keeps."""
    _forge(seven, number=_LAST + 1)
    assert await seven.broken_at() == _LAST + 1


async def test_a_forged_event_with_the_head_moved_is_found_by_its_hash(seven: Chain) -> None:
    _forge(seven, number=_LAST + 1, actor="nobody")
    seven.tamper("UPDATE ibex.audit_chains SET number = number + 1, hash = sha256('x')")
    assert await seven.broken_at() == _LAST + 1


async def test_an_event_that_is_replaced_by_one_with_a_hash_of_its_own_is_found(seven: Chain) -> None:
    _rewrite(seven, 4)
    assert await seven.broken_at() == 4


async def test_the_last_event_replaced_in_this_way_is_found_by_the_head(seven: Chain) -> None:
    _rewrite(seven, _LAST)
    assert await seven.broken_at() == _LAST


async def test_a_chain_that_is_rewritten_to_its_end_is_found_by_the_head_that_was_noted(seven: Chain) -> None:
    noted, earlier = str(await seven.audit.head(seven.org_id)), await _head_at(seven, 3)
    seven.tamper("UPDATE ibex.audit_events SET actor = 'nobody' WHERE number = 4")
    for number in range(4, _LAST + 1):
        seven.tamper(
            f"UPDATE ibex.audit_events AS e SET previous_hash = b.hash FROM ibex.audit_events AS b "
            f"WHERE e.number = {number} AND b.org_id = e.org_id AND b.number = e.number - 1"
        )
        _rehash(seven, number)
    seven.tamper(
        f"UPDATE ibex.audit_chains SET hash = e.hash FROM ibex.audit_events AS e WHERE e.number = {_LAST}"
    )
    assert await seven.broken_at() is None
    assert await seven.broken_at(earlier) is None
    assert await seven.broken_at(noted) == _LAST


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("DELETE FROM ibex.audit_chains", 1),
        ("UPDATE ibex.audit_chains SET hash = sha256('x')", _LAST),
        ("UPDATE ibex.audit_chains SET number = number + 1", _LAST + 1),
        ("UPDATE ibex.audit_chains SET number = number - 1", _LAST - 1),
    ],
)
async def test_a_head_that_is_altered_is_found(seven: Chain, statement: str, number: int) -> None:
    seven.tamper(statement)
    assert await seven.broken_at() == number


async def test_a_row_without_a_number_and_one_with_a_number_twice_are_found(seven: Chain) -> None:
    with seven.tampering() as connection:
        connection.execute("ALTER TABLE ibex.audit_events ALTER COLUMN number DROP NOT NULL")
        connection.execute("ALTER TABLE ibex.audit_events DROP CONSTRAINT audit_events_org_id_number_key")
    _forge(seven, number="NULL")
    assert await seven.broken_at() == _LAST + 1
    seven.tamper("UPDATE ibex.audit_events SET number = 4 WHERE number IS NULL")
    assert await seven.broken_at() in {4, 5}


async def test_an_event_of_another_organization_is_no_event_of_this(seven: Chain) -> None:
    other = await seven.operator.organization("globex")
    seven.tamper(
        f"UPDATE ibex.audit_events SET org_id = '{other}' "
        f"WHERE org_id = '{seven.org_id}' AND number = {_LAST}"
    )
    assert await seven.broken_at() == _LAST
    verdict = await seven.audit.verify(other)
    assert verdict.damage is not None
    assert verdict.damage.number == 3


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
@pytest.mark.parametrize(
    "damage",
    [
        lambda chain: chain.tamper("DELETE FROM ibex.audit_events WHERE number = 4"),
        lambda chain: chain.tamper("DELETE FROM ibex.audit_events WHERE number IN (4, 5, 6)"),
        lambda chain: chain.tamper("UPDATE ibex.audit_events SET actor = 'x' WHERE number = 4"),
    ],
)
async def test_the_size_of_a_batch_makes_no_difference(
    seven: Chain, size: int, damage: Callable[[Chain], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibex.auth.audit.service._BATCH", size)
    assert await seven.broken_at() is None
    damage(seven)
    assert await seven.broken_at() == 4


async def test_events_that_are_written_meanwhile_do_no_harm(
    seven: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibex.auth.audit.service._BATCH", 1)
    running = asyncio.create_task(seven.broken_at())
    while not running.done():
        await seven.write(1)
    assert await running is None


def cut_off(chain: Chain, after: int) -> None:
    """As whoever owns the database can do it: the rows and the head."""
    chain.tamper(f"DELETE FROM ibex.audit_events WHERE number > {after}")
    chain.tamper(
        "UPDATE ibex.audit_chains SET number = e.number, hash = e.hash "
        f"FROM ibex.audit_events AS e WHERE e.number = {after}"
    )


async def _head_at(chain: Chain, number: int) -> str:
    (event,) = (event for event in await chain.newest(100) if event.number == number)
    return f"{event.number}:{event.hash}"


def _forge(chain: Chain, number: int | str, actor: str = "cli") -> None:
    chain.tamper(
        f"""
        INSERT INTO ibex.audit_events (org_id, id, at, actor, action, outcome, number, previous_hash, hash)
        SELECT org_id, gen_random_uuid(), now(), '{actor}', 'agent.pause', 'success', {number}, hash, hash
        FROM ibex.audit_chains WHERE org_id = '{chain.org_id}'
        """
    )
    if number != "NULL":
        _rehash(chain, int(number))


def _rewrite(chain: Chain, number: int) -> None:
    """Another actor, and the hash that belongs to that."""
    chain.tamper(f"UPDATE ibex.audit_events SET actor = 'nobody' WHERE number = {number}")
    _rehash(chain, number)


def _rehash(chain: Chain, number: int) -> None:
    chain.tamper(
        "UPDATE ibex.audit_events AS e "
        "SET hash = sha256(previous_hash || convert_to(ibex.audit_text(e), 'UTF8')) "
        f"WHERE number = {number} AND org_id = '{chain.org_id}'"
    )
