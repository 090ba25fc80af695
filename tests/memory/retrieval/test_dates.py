from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.retrieval.dates import intervals

NOW = datetime(2024, 3, 10, 15, tzinfo=UTC)


def named(question: str) -> list[tuple[str, str]]:
    """First and last day of each interval, for memories from 2023 to 2024."""
    found = intervals(question, NOW, datetime(2023, 1, 5, tzinfo=UTC), NOW)
    return [
        (
            datetime.fromtimestamp(each.start, UTC).date().isoformat(),
            (datetime.fromtimestamp(each.end, UTC) - timedelta(days=1)).date().isoformat(),
        )
        for each in found
    ]


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("What did we eat on 8 May 2023?", "2023-05-08", "2023-05-08"),
        ("the 3rd of July 2023", "2023-07-03", "2023-07-03"),
        ("on October 12th, 2023", "2023-10-12", "2023-10-12"),
        ("on 2023-05-08", "2023-05-08", "2023-05-08"),
        ("in sept 2023", "2023-09-01", "2023-09-30"),
        ("during 2023-02", "2023-02-01", "2023-02-28"),
        ("holidays in 2024", "2024-01-01", "2024-12-31"),
        ("what did I say yesterday", "2024-03-09", "2024-03-09"),
        ("today's plan", "2024-03-10", "2024-03-10"),
        ("three days ago", "2024-03-07", "2024-03-07"),
        ("two weeks ago", "2024-02-22", "2024-02-28"),
        ("this month", "2024-02-10", "2024-03-10"),
        ("last week", "2024-02-26", "2024-03-10"),
        ("the past two weeks", "2024-02-25", "2024-03-10"),
        ("in the last 3 days", "2024-03-07", "2024-03-10"),
        ("last Saturday", "2024-03-09", "2024-03-09"),
        ("what happened on sunday", "2024-03-03", "2024-03-03"),
        ("this weekend", "2024-03-09", "2024-03-10"),
    ],
)
def test_a_time_becomes_its_days(question: str, first: str, last: str) -> None:
    assert named(question) == [(first, last)]


def test_a_date_without_a_year_is_meant_in_each_year_of_the_memories() -> None:
    assert named("our trip in June") == [("2023-06-01", "2023-06-30"), ("2024-06-01", "2024-06-30")]


@pytest.mark.parametrize(
    "question",
    [
        "",
        "What may happen?",
        "march on",
        "31 February 2023",
        "the 1st",
        "room 1204",
        "on Mondays",
        "next Friday",
    ],
)
def test_what_is_no_date_names_no_time(question: str) -> None:
    assert named(question) == []


def test_several_times_are_all_found() -> None:
    assert named("between 2 May 2023 and August 2023") == [
        ("2023-05-02", "2023-05-02"),
        ("2023-08-01", "2023-08-31"),
    ]


@given(
    st.text() | st.from_regex(r"(past )?[0-9]{1,3} (days|weeks|years)( ago)?|[0-9]{1,2} (May|feb) [0-9]{4}")
)
def test_no_question_fails_and_every_interval_has_a_length(question: str) -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)
    assert all(each.start < each.end for each in intervals(question, NOW, first, NOW))
