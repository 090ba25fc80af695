"""Statements about one thing form one chain, in whatever order they arrive."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.time import Interval
from ibex.memory.writing.conflict import Near, Statement, Verdict, decide

START = datetime(2030, 1, 1, tzinfo=UTC)
CITIES = ("Oslo", "Bergen", "Leeds", "York", "Turin", "Lyon", "Porto", "Ghent", "Graz", "Brno")


def after(days: int) -> datetime:
    return START + timedelta(days=days)


@st.composite
def residences(draw: st.DrawFn) -> list[Statement]:
    """One statement for each town, at distinct times; some say how long they hold."""
    days = draw(st.lists(st.integers(0, 300), unique=True, min_size=2, max_size=len(CITIES)))
    stays = st.none() | st.integers(1, 100)
    statements = []
    for city, day in zip(CITIES, days, strict=False):
        stay = draw(stays)
        words = draw(st.sampled_from(["I live in {}.", "I moved to {}.", "I'm living in {} now."]))
        validity = Interval(None, None if stay is None else after(day + stay))
        statements.append(Statement(words.format(city), after(day), validity))
    return statements


def arrive(statements: Iterable[Statement]) -> Mapping[str, Interval]:
    """When each text holds after all have arrived one by one."""
    there: dict[UUID, Statement] = {}
    for number, new in enumerate(statements):
        outcome = decide(new, [Near(each, statement, None) for each, statement in there.items()])
        assert all(each.verdict is not Verdict.UNDECIDED for each in outcome.decisions)
        for decision in outcome.decisions:
            if decision.verdict is Verdict.SUPERSEDES:
                old = there[decision.id]
                there[decision.id] = replace(old, validity=Interval(old.holds.start, decision.ends_at))
        there[UUID(int=number)] = replace(new, validity=outcome.holds)
    return {statement.text: statement.holds for statement in there.values()}


@given(st.data(), residences())
def test_the_order_of_arrival_does_not_matter(data: st.DataObject, statements: list[Statement]) -> None:
    assert arrive(data.draw(st.permutations(statements))) == arrive(statements)


@given(st.data(), residences())
def test_the_chain_has_no_overlap(data: st.DataObject, statements: list[Statement]) -> None:
    chain = arrive(data.draw(st.permutations(statements)))
    in_order = sorted(statements, key=lambda statement: statement.observed_at)
    for earlier, later in pairwise(in_order):
        assert not chain[earlier.text].overlaps(chain[later.text])


@given(st.data(), residences())
def test_each_link_ends_where_it_says_or_where_the_next_begins(
    data: st.DataObject, statements: list[Statement]
) -> None:
    chain = arrive(data.draw(st.permutations(statements)))
    in_order = sorted(statements, key=lambda statement: statement.observed_at)
    ends = [statement.observed_at for statement in in_order[1:]]
    for statement, next_begins in zip(in_order, [*ends, None], strict=True):
        bounds = [each for each in (statement.validity.end, next_begins) if each is not None]
        assert chain[statement.text] == Interval(statement.observed_at, min(bounds, default=None))
