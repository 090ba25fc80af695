"""Since and until when a statement holds, seen from Wednesday, 15 May 2030."""

from datetime import UTC, datetime

import pytest

from ibex.memory.time import validity

WEDNESDAY = datetime(2030, 5, 15, 14, 30, tzinfo=UTC)


def on(year: int, month: int = 1, day: int = 1) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("I have lived in Rome since 2019.", on(2019), None),
        ("I'm in Paris until Friday.", None, on(2030, 5, 18)),
        ("Anna: The office is closed from May 20 to May 24, 2030.", on(2030, 5, 20), on(2030, 5, 25)),
        ("I rent this flat from 2028 to 2032.", on(2028), on(2033)),
        ("The price holds effective from June 1 until 31 December 2030.", on(2030, 6), on(2031)),
        ("Hi there! I have had this number since June 2020.", on(2020, 6), None),
    ],
)
def test_a_statement_says_when_it_holds(text: str, since: datetime | None, until: datetime | None) -> None:
    assert validity(text, WEDNESDAY) == (since, until)


@pytest.mark.parametrize("text", ["I've run for three years.", "For the past three years I have run."])
def test_what_has_lasted_still_lasts(text: str) -> None:
    assert validity(text, WEDNESDAY) == (WEDNESDAY.replace(year=2027), None)


@pytest.mark.parametrize(
    "text",
    [
        "We met yesterday.",
        "I ran for three years.",
        "I worked at Acme between 2015 and 2018.",
        "I lived there until 2020.",
        "I have to go, I'm tired over the last two days.",
        "I'm starting next month.",
        "Is it open until Friday?",
        "If I stay until Friday, we can talk.",
        "I might stay until Friday.",
        "I love pizza and cheese. I have worked at Acme since 2019.",
        "I know her since 2010 and him since 2015.",
    ],
)
def test_without_such_words_or_with_doubt_it_says_nothing(text: str) -> None:
    assert validity(text, WEDNESDAY) is None
