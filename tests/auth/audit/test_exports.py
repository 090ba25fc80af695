"""An export is checked by itself, without the database that it came from."""

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from ibex.auth import Actor
from ibex.auth.audit import Head, MalformedLineError, Selection, StoredEvent, Verdict, verify_lines
from ibex.auth.audit.lines import line, parse, spelled
from tests.auth.audit.chains import Chain

_EVERYTHING = Selection()
_HASHED = (
    "org_id",
    "number",
    "id",
    "at",
    "actor",
    "action",
    "target",
    "outcome",
    "request_id",
    "address",
    "detail",
)


async def exported(chain: Chain, selection: Selection = _EVERYTHING, after: int = 0) -> list[bytes]:
    export = await chain.audit.export(Actor.local(chain.org_id, "cli"), selection, after)
    return b"".join([batch async for batch in export.batches]).splitlines(keepends=True)


@pytest_asyncio.fixture
async def lines(chain: Chain) -> list[bytes]:
    """Five events, one of them in Greek, and that of their export."""
    await chain.write(2, slug="a")
    await chain.write(1, name="Ζωή 🤖")
    return await exported(chain)


def broken_at(lines: Iterable[bytes], head: str | None = None, *, is_partial: bool = False) -> int | None:
    verdict = verify_lines(lines, Head.parse(head) if head else None, is_partial=is_partial)
    return verdict.damage.number if verdict.damage else None


async def test_an_export_ends_with_the_event_of_itself(chain: Chain, lines: list[bytes]) -> None:
    events = [json.loads(line) for line in lines]
    assert [event["number"] for event in events] == [1, 2, 3, 4, 5, 6]
    assert events[-1]["action"] == "audit.export"
    assert events[4]["detail"] == {"name": "Ζωή 🤖"}
    head = Head(6, events[-1]["hash"])
    assert verify_lines(lines) == Verdict(str(chain.org_id), 6, head, None)
    assert await chain.audit.head(chain.org_id) == head


async def test_anybody_can_check_it_with_a_dozen_lines(lines: list[bytes]) -> None:
    """As docs/audit.md describes it."""
    previous = sha256(json.loads(lines[0])["org_id"].encode()).digest()
    for text in lines:
        event = json.loads(text)
        event["detail"] = json.dumps(
            event["detail"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        fields = [None if event[name] is None else str(event[name]) for name in _HASHED]
        hashed = ",".join("-" if field is None else f"{len(field.encode())}:{field}" for field in fields)
        previous = sha256(previous + hashed.encode()).digest()
        assert previous.hex() == event["hash"]


async def test_one_byte_that_is_altered_is_found_wherever_it_is(lines: list[bytes]) -> None:
    whole = b"".join(lines)
    step = 1 if len(whole) < 2_000 else 3
    unnoticed = []
    for position in range(0, len(whole) - 1, step):
        other = b"1" if whole[position : position + 1] == b"0" else b"0"
        altered = whole[:position] + other + whole[position + 1 :]
        try:
            if broken_at(altered.splitlines(keepends=True)) is None:
                unnoticed.append(position)
        except MalformedLineError:
            continue
    assert unnoticed == []


@pytest.mark.parametrize("number", [1, 3, 6])
@pytest.mark.parametrize("name", sorted(set(StoredEvent.__dataclass_fields__) - {"number", "org_id"}))
async def test_every_field_that_is_altered_is_found_at_its_number(
    lines: list[bytes], number: int, name: str
) -> None:
    event = json.loads(lines[number - 1])
    event[name] = {"detail": {"slug": "c"}}.get(name, "00" * 32 if "hash" in name else "another")
    lines[number - 1] = json.dumps(event).encode()
    assert broken_at(lines) == number


@pytest.mark.parametrize("number", [1, 3, 5])
async def test_a_line_that_is_taken_out_is_found(lines: list[bytes], number: int) -> None:
    del lines[number - 1]
    assert broken_at(lines) == number


async def test_lines_that_are_cut_off_are_found_by_the_head_that_was_noted(
    chain: Chain, lines: list[bytes]
) -> None:
    noted = str(await chain.audit.head(chain.org_id))
    assert broken_at(lines, noted) is None
    assert broken_at(lines[:4]) is None
    assert broken_at(lines[:4], noted) == 5


async def test_lines_that_are_moved_or_doubled_are_found(lines: list[bytes]) -> None:
    assert broken_at([lines[0], lines[2], lines[1], *lines[3:]]) == 2
    assert broken_at([lines[0], lines[0], *lines[1:]]) == 1


async def test_lines_of_another_organization_are_found(chain: Chain, lines: list[bytes]) -> None:
    other = Chain(chain.operator, chain.database, await chain.operator.organization("globex"))
    foreign = await exported(other)
    assert broken_at([*lines[:2], foreign[2], *lines[3:]]) == 3


async def test_an_export_of_some_events_is_checked_event_by_event(chain: Chain) -> None:
    await chain.write(3, "agent.pause")
    await chain.write(2, "agent.resume")
    some = await exported(chain, Selection(action="agent.r"))
    assert [json.loads(text)["number"] for text in some] == [6, 7]
    assert broken_at(some) == 1
    assert broken_at(some, is_partial=True) is None
    gapped = [*(await exported(chain, Selection(target="target-0"))), *some[1:]]
    assert [json.loads(text)["number"] for text in gapped] == [3, 6, 7]
    assert broken_at(gapped, is_partial=True) is None
    for position in range(3):
        altered = gapped[position].replace(b'"cli"', b'"you"')
        lines = [*gapped[:position], altered, *gapped[position + 1 :]]
        assert broken_at(lines, is_partial=True) == json.loads(altered)["number"]


async def test_a_head_that_is_not_among_some_events_is_not_proven(chain: Chain) -> None:
    noted = str(await chain.audit.head(chain.org_id))
    await chain.write(2)
    later = await exported(chain, after=2)
    assert broken_at(later, is_partial=True) is None
    assert broken_at(later, noted, is_partial=True) == 2


async def test_exports_one_after_the_other_make_one_chain(chain: Chain) -> None:
    first = await exported(chain)
    await chain.write(3)
    second = await exported(chain, after=len(first))
    assert json.loads(second[0])["number"] == len(first) + 1
    assert broken_at([*first, *second], str(await chain.audit.head(chain.org_id))) is None


async def test_what_is_exported_is_asked_for_in_the_audit(chain: Chain) -> None:
    await exported(chain, Selection(action="token.", outcome="refused"), after=1)
    (event,) = await chain.newest(1)
    assert (event.actor, event.action, event.target) == ("cli", "audit.export", str(chain.org_id))
    assert json.loads(event.detail) == {"action": "token.", "outcome": "refused", "after": "1"}


async def test_a_detail_that_others_have_spelled_is_exported_as_it_is(chain: Chain) -> None:
    spellings = ['{"b": 1, "a": 2}', '{"a":\n1}', '{"a":1.10}', '{"a":"\\u0061"}']
    with psycopg.connect(chain.database.service_dsn) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, false)", (str(chain.org_id),))
        for spelling in spellings:
            connection.execute(
                "INSERT INTO ibex.audit_events (org_id, id, actor, action, outcome, detail) "
                "VALUES (%s, gen_random_uuid(), 'cli', 'agent.pause', 'success', %s)",
                (chain.org_id, spelling),
            )
    lines = await exported(chain)
    assert [json.loads(text)["detail"] for text in lines[2:-1]] == spellings
    assert broken_at(lines) is None


@pytest.mark.parametrize("size", [1, 2, 5, 6, 100])
async def test_the_size_of_a_batch_makes_no_difference(
    chain: Chain, lines: list[bytes], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ibex.auth.audit.service._BATCH", size)
    assert (await exported(chain))[:-1] == lines


_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_EVENTS = st.builds(
    StoredEvent,
    number=st.integers(0, 2**63 - 1),
    target=st.none() | _TEXT,
    request_id=st.none() | _TEXT,
    address=st.none() | _TEXT,
    detail=st.dictionaries(_TEXT, _TEXT | st.integers()).map(spelled) | _TEXT,
    **dict.fromkeys(("org_id", "id", "at", "actor", "action", "outcome", "previous_hash", "hash"), _TEXT),
)


@given(_EVENTS)
@settings(max_examples=200, deadline=None)
def test_a_line_gives_back_the_event(event: StoredEvent) -> None:
    text = line(event)
    assert text.count(b"\n") == 1
    assert parse(text) == event


@given(_EVENTS, _EVENTS)
@settings(max_examples=200, deadline=None)
def test_no_two_events_are_hashed_alike(one: StoredEvent, other: StoredEvent) -> None:
    def hashed(event: StoredEvent) -> list[Any]:
        names = [name for name in StoredEvent.__dataclass_fields__ if name not in {"hash", "previous_hash"}]
        return [getattr(event, name) for name in names]

    assert (one.text == other.text) == (hashed(one) == hashed(other))


@given(st.binary(max_size=300))
def test_a_line_that_is_no_event_is_said_to_be_none(text: bytes) -> None:
    with pytest.raises(MalformedLineError):
        verify_lines([text])


@pytest.mark.parametrize(
    ("replaced", "by"),
    [
        (b'"number":1,', b'"number":"1",'),
        (b'"number":1,', b'"number":true,'),
        (b'"number":1,', b'"number":1.0,'),
        (b'"number":1,', b'"number":1,"number":1,'),
        (b'"number":1,', b'"number":1,"note":"trust me",'),
        (b'"number":1,', b""),
        (b'"actor":"test"', b'"actor":null'),
        (b'"detail":{', b'"detail":{"slug":"x",'),
        (b'"detail":{"slug":"acme"}', b'"detail":[]'),
        (b'"hash":"', b'"hash":"\\x'),
        (b"{", b"[" * 100_000),
    ],
)
async def test_a_line_with_other_fields_is_no_event(lines: list[bytes], replaced: bytes, by: bytes) -> None:
    assert replaced in lines[0]
    with pytest.raises(MalformedLineError, match="Line 1 is not an event"):
        verify_lines([lines[0].replace(replaced, by, 1), *lines[1:]])


def test_an_export_without_events_proves_nothing() -> None:
    with pytest.raises(MalformedLineError, match="no event"):
        verify_lines([])
