"""Intervals: half-open, with open ends."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.time import Interval

NOON = datetime(2030, 5, 15, 12, tzinfo=UTC)
hours = st.integers(-50, 50).map(lambda count: NOON + timedelta(hours=count))
zones = st.integers(-12, 14).map(lambda offset: timezone(timedelta(hours=offset)))
moments = st.builds(lambda moment, zone: moment.astimezone(zone), hours, zones)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    start, end = sorted((draw(moments), draw(moments)))
    if start == end:
        end = start + timedelta(hours=1)
    return Interval(
        None if draw(st.booleans()) and draw(st.booleans()) else start,
        None if draw(st.booleans()) and draw(st.booleans()) else end,
    )


many = st.lists(intervals(), max_size=8)


def test_the_start_is_in_it_and_the_end_is_not() -> None:
    hour = Interval(NOON, NOON + timedelta(hours=1))
    assert hour.contains(NOON)
    assert not hour.contains(NOON + timedelta(hours=1))


def test_touching_is_not_overlapping() -> None:
    assert not Interval(None, NOON).overlaps(Interval(NOON, None))


def test_the_last_moment_of_the_calendar_is_a_bound_like_others() -> None:
    forever = Interval(datetime.max.replace(tzinfo=UTC) - timedelta(hours=1), None)
    assert forever.overlaps(Interval(NOON, None))


@pytest.mark.parametrize("end", [NOON, NOON - timedelta(seconds=1)])
def test_an_interval_that_ends_before_it_starts_is_refused(end: datetime) -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        Interval(NOON, end)


def test_bounds_need_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Interval(NOON.replace(tzinfo=None), None)


@given(intervals(), intervals(), moments)
def test_the_intersection_holds_what_both_hold(one: Interval, other: Interval, moment: datetime) -> None:
    both = one.intersection(other)
    assert one.overlaps(other) == other.overlaps(one) == (both is not None)
    assert (both is not None and both.contains(moment)) == (one.contains(moment) and other.contains(moment))


@given(many, moments)
def test_merging_keeps_every_moment_and_adds_none(several: list[Interval], moment: datetime) -> None:
    merged = Interval.merge(several)
    assert any(each.contains(moment) for each in merged) == any(each.contains(moment) for each in several)


@given(st.data(), many)
def test_merging_does_not_depend_on_order(data: st.DataObject, several: list[Interval]) -> None:
    shuffled = data.draw(st.permutations(several))
    assert Interval.merge(shuffled) == Interval.merge(several)


@given(many, many)
def test_merging_in_parts_is_merging_at_once(some: list[Interval], others: list[Interval]) -> None:
    together = Interval.merge([*some, *others])
    assert Interval.merge([*Interval.merge(others), *some]) == together
    assert Interval.merge(together) == together


@given(many)
def test_merged_intervals_neither_touch_nor_overlap(several: list[Interval]) -> None:
    merged = Interval.merge(several)
    for earlier, later in pairwise(merged):
        assert earlier.end is not None
        assert later.start is not None
        assert earlier.end < later.start
