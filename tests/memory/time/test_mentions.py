"""What times a text names, seen from Wednesday, 15 May 2030, half past two in the afternoon."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.time import Mention, Precision, mentions

WEDNESDAY = datetime(2030, 5, 15, 14, 30, tzinfo=UTC)


def only(text: str, observed_at: datetime = WEDNESDAY) -> Mention:
    found = mentions(text, observed_at)
    assert len(found) == 1, found
    return found[0]


def days(mention: Mention) -> tuple[str | None, str | None]:
    start, end = mention.interval.start, mention.interval.end
    return start.date().isoformat() if start else None, end.date().isoformat() if end else None


@pytest.mark.parametrize(
    ("text", "phrase", "start", "end", "precision"),
    [
        ("I saw her yesterday.", "yesterday", "2030-05-14", "2030-05-15", "day"),
        ("We met the day before yesterday.", "the day before yesterday", "2030-05-13", "2030-05-14", "day"),
        ("See you tonight!", "tonight", "2030-05-15", "2030-05-16", "day"),
        ("It rained last night.", "last night", "2030-05-14", "2030-05-15", "day"),
        ("He called last Tuesday.", "last Tuesday", "2030-05-14", "2030-05-15", "day"),
        ("He called last Thursday.", "last Thursday", "2030-05-09", "2030-05-10", "day"),
        ("We leave next Friday.", "next Friday", "2030-05-24", "2030-05-25", "day"),
        ("We leave this Friday.", "this Friday", "2030-05-17", "2030-05-18", "day"),
        ("We finished on Friday.", "on Friday", "2030-05-10", "2030-05-11", "day"),
        ("The review is on Friday.", "on Friday", "2030-05-17", "2030-05-18", "day"),
        ("I started two weeks ago.", "two weeks ago", "2030-04-29", "2030-05-06", "week"),
        ("I started 3 days ago.", "3 days ago", "2030-05-12", "2030-05-13", "day"),
        ("It was a couple of months ago.", "a couple of months ago", "2030-03-01", "2030-04-01", "month"),
        ("It was a few years ago.", "a few years ago", "2025-01-01", "2029-01-01", "year"),
        ("I went the week before last.", "the week before last", "2030-04-29", "2030-05-06", "week"),
        ("We hiked last weekend.", "last weekend", "2030-05-11", "2030-05-13", "weekend"),
        ("We hiked over the weekend.", "over the weekend", "2030-05-11", "2030-05-13", "weekend"),
        ("We hiked this weekend.", "this weekend", "2030-05-11", "2030-05-13", "weekend"),
        ("We will hike this weekend.", "this weekend", "2030-05-18", "2030-05-20", "weekend"),
        ("We need help in the coming weeks.", "in the coming weeks", "2030-05-15", "2030-06-19", "week"),
        ("We will move next month.", "next month", "2030-06-01", "2030-07-01", "month"),
        ("Last year was hard.", "Last year", "2029-01-01", "2030-01-01", "year"),
        ("It opens later this week.", "later this week", "2030-05-15", "2030-05-20", "week"),
        ("We met in May.", "in May", "2030-05-01", "2030-06-01", "month"),
        ("We met in June.", "in June", "2029-06-01", "2029-07-01", "month"),
        ("I will visit her in March.", "in March", "2031-03-01", "2031-04-01", "month"),
        ("It began in August last year.", "in August last year", "2029-08-01", "2029-09-01", "month"),
        ("I booked it for next month.", "for next month", "2030-06-01", "2030-07-01", "month"),
        ("It was over the past week.", "over the past week", "2030-05-08", "2030-05-15", "week"),
        ("Ich kam am 3. März 2028 an.", "3. März 2028", "2028-03-03", "2028-03-04", "day"),
        ("Nací el 3 de mayo de 1990.", "3 de mayo de 1990", "1990-05-03", "1990-05-04", "day"),
        ("Je suis né le 1er août 1990.", "1er août 1990", "1990-08-01", "1990-08-02", "day"),
        ("私は2028年5月3日に来た。", "2028年5月3日", "2028-05-03", "2028-05-04", "day"),
        ("I read it last summer.", "last summer", "2029-06-01", "2029-09-01", "season"),
        ("We travel next summer.", "next summer", "2030-06-01", "2030-09-01", "season"),
        ("That was in summer 2021.", "in summer 2021", "2021-06-01", "2021-09-01", "season"),
        ("He paid on the 3rd.", "on the 3rd", "2030-05-03", "2030-05-04", "day"),
        ("Payment is due on the 3rd.", "on the 3rd", "2030-06-03", "2030-06-04", "day"),
        ("He paid on the 3rd of last month.", "on the 3rd of last month", "2030-04-03", "2030-04-04", "day"),
        ("I was born on 3 May 1990.", "on 3 May 1990", "1990-05-03", "1990-05-04", "day"),
        ("We signed on Friday, May 3rd.", "on Friday, May 3rd", "2030-05-03", "2030-05-04", "day"),
        ("The fair was on May 3-5.", "on May 3-5", "2030-05-03", "2030-05-06", "day"),
        ("It happened on 2028-02-29.", "on 2028-02-29", "2028-02-29", "2028-03-01", "day"),
        ("It happened on 4.5.2028.", "on 4.5.2028", "2028-05-04", "2028-05-05", "day"),
        ("It happened on 13/05/2028.", "on 13/05/2028", "2028-05-13", "2028-05-14", "day"),
        ("I graduated in 2018.", "in 2018", "2018-01-01", "2019-01-01", "year"),
        ("It was in early 2020.", "in early 2020", "2020-01-01", "2020-05-02", "year"),
        ("It was at the end of last month.", "at the end of last month", "2030-04-21", "2030-05-01", "month"),
        ("They sang it in the 1980s.", "in the 1980s", "1980-01-01", "1990-01-01", "decade"),
        ("I have lived here since 2019.", "since 2019", "2019-01-01", None, "year"),
        ("I am away until Friday.", "until Friday", None, "2030-05-18", "day"),
        ("I taught from March to June.", "from March to June", "2030-03-01", "2030-07-01", "month"),
        ("I will teach from March to June.", "from March to June", "2031-03-01", "2031-07-01", "month"),
        ("I taught between 2015 and 2018.", "between 2015 and 2018", "2015-01-01", "2019-01-01", "year"),
        ("I taught from May to June 2022.", "from May to June 2022", "2022-05-01", "2022-07-01", "month"),
        (
            "I have run for the past three years.",
            "for the past three years",
            "2027-05-15",
            "2030-05-15",
            "year",
        ),
        ("I'm leaving in three weeks.", "in three weeks", "2030-06-03", "2030-06-10", "week"),
    ],
)
def test_a_phrase_names_an_interval(
    text: str, phrase: str, start: str | None, end: str | None, precision: str
) -> None:
    mention = only(text)
    assert mention.phrase == phrase == text[slice(*mention.span)]
    assert days(mention) == (start, end)
    assert mention.precision is Precision(precision)


@pytest.mark.parametrize(
    "text",
    [
        "I may go there and march along.",
        "This may take long, and what comes next may surprise you.",
        "March 3 miles a day. May 3 people come?",
        "Give me a second: she sat in the second row.",
        "Upgrade to version 3.10.2, v2.1.2023 or 2.0.1.",
        "It costs $20.19, 2,019 euros or 1999 in coins.",
        "Bake for 20 minutes at 350 degrees, then rest for 2 hours.",
        "I read it in two days.",
        "Room 2019 has 12 chairs; flight BA2019 left gate 3.",
        "There were 2020 people in 2020 rooms.",
        "Take the 3rd door on the 2nd floor on the 3rd try.",
        "The next day we left, and the following week too.",
        "I like spring rolls and fall asleep every Friday.",
        "We are closed on Fridays.",
        "Good Friday music, by Wednesday Addams.",
        "June and April are my friends; so are Mark and August.",
        "The host is 10.0.0.1 and the ratio is 4/5.",
        "It was on 4/5/2028.",
        "It happened on 31 February 2028.",
        "It feels like yesterday.",
        "A thousand decades ago, or 999 decades ago.",
        "",
    ],
)
def test_what_is_no_time_is_not_taken_for_one(text: str) -> None:
    assert mentions(text, WEDNESDAY) == []


def test_a_day_is_that_of_where_the_text_was_observed() -> None:
    in_tokyo = datetime(2030, 5, 15, 1, tzinfo=timezone(timedelta(hours=9)))
    yesterday = only("I came yesterday.", in_tokyo).interval
    assert yesterday.start == datetime(2030, 5, 14, tzinfo=in_tokyo.tzinfo)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        mentions("yesterday", WEDNESDAY.replace(tzinfo=None))


def test_several_times_come_in_the_order_of_the_text() -> None:
    found = mentions("Anna: I married in 2018, moved in June 2020 and came back yesterday.", WEDNESDAY)
    assert [mention.phrase for mention in found] == ["in 2018", "in June 2020", "yesterday"]


WORDS = """
yesterday last next this the on in since until from to and March May Friday 3rd 2019 3 two weeks ago past
years end of summer early may I was will , . - 29 February 12/13/2020 for a few
"""
_words = st.sampled_from(WORDS.split())


@given(st.lists(_words, max_size=25), st.datetimes(timezones=st.just(UTC)))
def test_any_words_at_any_time_give_mentions_that_do_not_overlap(
    words: list[str], observed_at: datetime
) -> None:
    text = " ".join(words)
    found = mentions(text, observed_at)
    assert all(mention.phrase == text[slice(*mention.span)] for mention in found)
    for one, other in pairwise(found):
        assert one.span[1] <= other.span[0]


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    for mention in mentions(text, WEDNESDAY):
        assert mention.phrase in text
