"""What a store of traces answers, whichever engine it is."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from ibex.ids import uuid7
from ibex.traces.store import Cost, MemoryUse, Position, Selection, Span, Spread, StepTime
from ibex.traces.trace import Trace
from tests.operator import Operator
from tests.traces.conftest import NOON, Shelf, trace

EVERYTHING = Selection()


def near(value: float) -> Any:
    return pytest.approx(value)


async def test_a_trace_comes_back_as_it_was_put(shelf: Shelf) -> None:
    whole = shelf.trace(at=NOON + timedelta(microseconds=123_456))
    unread = shelf.trace(answer_chars=None)
    bare = shelf.trace(
        session_id=None,
        user_id=None,
        provider=None,
        model_served=None,
        provider_fingerprint=None,
        client=None,
        error_code="PROVIDER_TIMEOUT",
        finish_reason=None,
        input_tokens=None,
        cached_tokens=None,
        output_tokens=None,
        cost_nano_usd=None,
        steps={},
        first_byte_ms=None,
        rung=None,
        directive_id=None,
        directive_number=None,
        memory_ids=(),
        tools=(),
        refused=True,
    )
    await shelf.put(whole, bare, unread)

    assert await shelf.store.find(shelf.org_id, whole.id) == whole
    assert await shelf.store.find(shelf.org_id, bare.id) == bare
    assert await shelf.store.find(shelf.org_id, unread.id) == unread


async def test_what_is_put_twice_counts_once(shelf: Shelf) -> None:
    one, other = shelf.trace(), shelf.trace(at=NOON + timedelta(seconds=1))
    await shelf.put(one)
    await shelf.put(one, other)
    await shelf.put(other)

    assert await shelf.store.page(shelf.org_id, EVERYTHING, None, 10) == [other, one]
    assert (await shelf.store.overview(shelf.org_id, EVERYTHING, 60))[0].calls == 2
    [cost] = await shelf.store.costs(shelf.org_id, EVERYTHING, 10)
    assert (cost.calls, cost.cost_nano_usd) == (2, 48_000)


async def test_a_list_is_walked_through_without_a_gap_even_where_times_are_equal(shelf: Shelf) -> None:
    put = [shelf.trace(at=NOON + timedelta(seconds=number // 4)) for number in range(11)]
    await shelf.put(*put)

    found: list[Trace] = []
    after: Position | None = None
    while page := await shelf.store.page(shelf.org_id, EVERYTHING, after, 3):
        found += page
        after = Position(page[-1].at, page[-1].id)

    assert found == sorted(put, key=lambda each: (each.at, str(each.id)), reverse=True)


async def test_new_traces_do_not_move_the_pages_that_follow(shelf: Shelf) -> None:
    put = [shelf.trace(at=NOON + timedelta(seconds=number)) for number in range(4)]
    await shelf.put(*put)
    first = await shelf.store.page(shelf.org_id, EVERYTHING, None, 2)
    await shelf.put(shelf.trace(at=NOON + timedelta(seconds=9)))

    rest = await shelf.store.page(shelf.org_id, EVERYTHING, Position(first[-1].at, first[-1].id), 10)

    assert [*first, *rest] == put[::-1]


@pytest.mark.parametrize(
    ("chosen", "fields"),
    [
        (Selection(session_id="it's\t\\N"), {"session_id": "it's\t\\N"}),
        (Selection(user_id="bob"), {"user_id": "bob"}),
        (Selection(model="o3"), {"model": "o3"}),
        (Selection(provider="other"), {"provider": "other"}),
        (Selection(outcome="broken"), {"outcome": "broken"}),
        (Selection(statuses=5), {"status": 503}),
        (Selection(error_code="RATE_LIMITED"), {"error_code": "RATE_LIMITED"}),
        (Selection(rung="directive"), {"rung": "directive"}),
        (Selection(least_ms=300.0), {"latency_ms": 300.0}),
        (Selection(since=NOON + timedelta(hours=1)), {"at": NOON + timedelta(hours=1)}),
        (Selection(until=NOON), {"at": NOON - timedelta(microseconds=1)}),
    ],
    ids=lambda value: "" if isinstance(value, Selection) else "".join(value),
)
async def test_a_filter_finds_what_it_names_and_nothing_else(
    shelf: Shelf, chosen: Selection, fields: dict[str, object]
) -> None:
    wanted = shelf.trace(**fields)
    await shelf.put(shelf.trace(), wanted)

    assert await shelf.store.page(shelf.org_id, chosen, None, 10) == [wanted]
    assert (await shelf.store.overview(shelf.org_id, chosen, 60))[0].calls == 1
    assert (await shelf.store.costs(shelf.org_id, chosen, 10))[0].calls == 1
    assert (await shelf.store.memory(shelf.org_id, chosen)).calls == 1
    assert {each.calls for each in await shelf.store.latency(shelf.org_id, chosen)} == {1}


async def test_filters_are_all_true_of_what_is_found(shelf: Shelf) -> None:
    wanted = trace(shelf.org_id, shelf.other_agent_id, user_id="bob")
    await shelf.put(wanted, shelf.trace(user_id="bob"), trace(shelf.org_id, shelf.other_agent_id))

    chosen = Selection(agent_id=shelf.other_agent_id, user_id="bob")

    assert await shelf.store.page(shelf.org_id, chosen, None, 10) == [wanted]


async def test_the_traces_of_another_organization_are_not_there(shelf: Shelf, operator: Operator) -> None:
    other = await operator.organization("other")
    agent = await operator.agent(other)
    secret = trace(other, agent.id)
    await shelf.store.insert({other: [secret]})

    assert await shelf.store.find(shelf.org_id, secret.id) is None
    assert await shelf.store.page(shelf.org_id, EVERYTHING, None, 10) == []
    assert await shelf.store.costs(shelf.org_id, EVERYTHING, 10) == []
    assert await shelf.store.latency(shelf.org_id, EVERYTHING) == []
    assert (await shelf.store.overview(shelf.org_id, EVERYTHING, 60))[0].calls == 0
    assert (await shelf.store.memory(shelf.org_id, EVERYTHING)).calls == 0
    assert await shelf.store.find(other, secret.id) == secret


async def test_a_trace_belongs_to_whom_it_is_put_for_whatever_it_says(shelf: Shelf) -> None:
    astray = trace(uuid7(), shelf.agent_id)
    await shelf.put(astray)

    found = await shelf.store.find(shelf.org_id, astray.id)

    assert found is not None
    assert found.org_id == shelf.org_id


async def test_a_call_is_found_by_its_trace_and_a_request_before_any_trace(shelf: Shelf) -> None:
    outside = uuid7()
    first = shelf.trace(trace_id=outside.hex)
    second = shelf.trace(trace_id=outside.hex, at=NOON + timedelta(seconds=1))
    confusing = shelf.trace(trace_id=second.id.hex, at=NOON - timedelta(seconds=1))
    await shelf.put(second, first, confusing)

    assert await shelf.store.find(shelf.org_id, outside) == first
    assert await shelf.store.find(shelf.org_id, second.id) == second
    assert await shelf.store.find(shelf.org_id, UUID(int=404)) is None


async def test_of_a_trace_that_agents_share_one_may_ask_for_its_own_call(shelf: Shelf) -> None:
    outside = uuid7()
    theirs = shelf.trace(trace_id=outside.hex)
    own = shelf.trace(trace_id=outside.hex, at=NOON + timedelta(seconds=1), agent_id=shelf.other_agent_id)
    await shelf.put(theirs, own)

    assert await shelf.store.find(shelf.org_id, outside, shelf.other_agent_id) == own
    assert await shelf.store.find(shelf.org_id, theirs.id, shelf.other_agent_id) == theirs
    assert await shelf.store.find(shelf.org_id, outside, UUID(int=404)) == theirs


async def test_a_list_goes_on_before_the_weeks_in_which_there_is_little(shelf: Shelf) -> None:
    put = [shelf.trace(at=NOON - timedelta(days=days)) for days in (0, 7, 20, 40)]
    await shelf.put(*put)

    found = await shelf.store.page(shelf.org_id, EVERYTHING, None, 3)
    last = found[-1]
    rest = await shelf.store.page(shelf.org_id, EVERYTHING, Position(last.at, last.id), 3)

    assert [*found, *rest] == put
    since = Selection(since=NOON - timedelta(days=30), until=NOON)
    assert await shelf.store.page(shelf.org_id, since, None, 3) == put[1:3]


async def test_an_overview_adds_up(shelf: Shelf) -> None:
    await shelf.put(
        shelf.trace(latency_ms=100.0),
        shelf.trace(at=NOON + timedelta(seconds=59), latency_ms=300.0, cost_nano_usd=None),
        shelf.trace(at=NOON + timedelta(minutes=2), latency_ms=200.0, outcome="failed", input_tokens=None),
        shelf.trace(at=NOON + timedelta(minutes=2), latency_ms=200.0, outcome="client_gone"),
    )

    together, first, last = await shelf.store.overview(shelf.org_id, EVERYTHING, 60)

    assert first == Span(NOON, 2, 0, 200, 80, 40, 24_000, 1, Spread(200.0, 290.0, 298.0))
    assert last == Span(NOON + timedelta(minutes=2), 2, 1, 100, 80, 40, 48_000, 0, Spread(*[200.0] * 3))
    assert (together.begins, together.calls, together.errors) == (None, 4, 1)
    assert together.latency == Spread(200.0, near(285.0), near(297.0))


async def test_days_are_those_of_utc(shelf: Shelf) -> None:
    await shelf.put(
        shelf.trace(at=datetime(2026, 11, 23, 0, 0, tzinfo=UTC)),
        shelf.trace(at=datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)),
    )

    _, *days = await shelf.store.overview(shelf.org_id, EVERYTHING, 86_400)

    assert [day.begins for day in days] == [
        datetime(2026, 11, 22, tzinfo=UTC),
        datetime(2026, 11, 23, tzinfo=UTC),
    ]


async def test_each_step_has_the_times_of_the_calls_that_reached_it(shelf: Shelf) -> None:
    await shelf.put(
        shelf.trace(steps={"auth": 1.0, "context": 2.0}),
        shelf.trace(steps={"auth": 3.0}, first_byte_ms=None, latency_ms=512.0),
    )

    assert await shelf.store.latency(shelf.org_id, EVERYTHING) == [
        StepTime("auth", 2, Spread(2.0, near(2.9), near(2.98))),
        StepTime("context", 1, Spread(2.0, 2.0, 2.0)),
        StepTime("first_byte", 1, Spread(125.0, 125.0, 125.0)),
        StepTime("overhead", 2, Spread(5.5, 5.5, 5.5)),
        StepTime("total", 2, Spread(384.0, near(499.2), near(509.44))),
    ]


async def test_costs_are_by_agent_and_model_the_greatest_first(shelf: Shelf) -> None:
    await shelf.put(
        shelf.trace(),
        shelf.trace(cost_nano_usd=None),
        shelf.trace(model="o3", cost_nano_usd=10_000_000_000_000),
        trace(shelf.org_id, shelf.other_agent_id, provider=None, output_tokens=None),
    )

    costs = await shelf.store.costs(shelf.org_id, EVERYTHING, 10)

    assert costs == [
        Cost(shelf.agent_id, "openai", "o3", 1, 100, 40, 20, 10_000_000_000_000, 0),
        Cost(shelf.agent_id, "openai", "gpt-4o-mini", 2, 200, 80, 40, 24_000, 1),
        Cost(shelf.other_agent_id, None, "gpt-4o-mini", 1, 100, 40, 0, 24_000, 0),
    ]
    assert await shelf.store.costs(shelf.org_id, EVERYTHING, 1) == costs[:1]


async def test_memory_is_judged_by_the_calls_that_had_a_context(shelf: Shelf) -> None:
    await shelf.put(
        shelf.trace(steps={"context": 4.0}),
        shelf.trace(steps={"context": 8.0}, memory_ids=()),
        shelf.trace(steps={}, memory_ids=(), rung="directive"),
        shelf.trace(rung=None, memory_ids=(), steps={"context": 99.0}),
    )

    assert await shelf.store.memory(shelf.org_id, EVERYTHING) == MemoryUse(
        3, 1, 2, {"complete": 2, "directive": 1}, Spread(6.0, near(7.8), near(7.96))
    )


async def test_of_nothing_nothing_is_said(shelf: Shelf) -> None:
    nothing = Spread(None, None, None)

    assert await shelf.store.overview(shelf.org_id, EVERYTHING, 60) == [
        Span(None, 0, 0, 0, 0, 0, 0, 0, nothing)
    ]
    assert await shelf.store.memory(shelf.org_id, EVERYTHING) == MemoryUse(0, 0, 0, {}, nothing)
    await shelf.put()
    assert await shelf.store.page(shelf.org_id, EVERYTHING, None, 10) == []
