"""What a new statement does to one that is there."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ibex.memory.time import Interval, validity
from ibex.memory.writing.conflict import Decision, Near, Outcome, Statement, Verdict, decide
from tests.memory.writing.conflict.examples import EXAMPLES
from tests.memory.writing.conflict.harmless import HARMLESS

MONDAY = datetime(2030, 5, 13, 9, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)
WEDNESDAY = MONDAY + timedelta(days=2)
OLD = UUID(int=1)


def dated(text: str, at: datetime) -> Statement:
    """A text with the interval that it names."""
    return Statement(text, at, Interval(*(validity(text, at) or (None, None))))


def against(old: Statement, new: Statement, cosine: float | None = 0.8) -> Outcome:
    return decide(new, [Near(OLD, old, cosine)])


def verdict(old: Statement, new: Statement, cosine: float | None = 0.8) -> Verdict:
    return against(old, new, cosine).decisions[0].verdict


@pytest.mark.parametrize(("old", "new", "expected"), EXAMPLES)
def test_a_statement_a_day_later(old: str, new: str, expected: Verdict) -> None:
    assert verdict(Statement(old, MONDAY), Statement(new, TUESDAY)) is expected


def test_what_is_superseded_ends_where_the_new_begins() -> None:
    outcome = against(Statement("I live in Paris.", MONDAY), Statement("I moved to Rome.", TUESDAY))
    assert outcome == Outcome((Decision(OLD, Verdict.SUPERSEDES, ends_at=TUESDAY),), Interval(TUESDAY, None))


def test_a_stated_beginning_counts_before_the_time_of_the_words() -> None:
    since = Statement("I have lived in Rome.", WEDNESDAY, Interval(TUESDAY, None))
    moved = Statement("I live in Rome.", WEDNESDAY, since.validity)
    assert against(Statement("I live in Paris.", MONDAY), moved).decisions[0].ends_at == TUESDAY


def test_what_arrives_late_is_the_past_of_what_is_there() -> None:
    outcome = against(Statement("I moved to Rome.", TUESDAY), Statement("I live in Paris.", MONDAY))
    assert outcome == Outcome((Decision(OLD, Verdict.PRECEDES, ends_at=TUESDAY),), Interval(MONDAY, TUESDAY))


def test_statements_that_hold_at_different_times_do_not_conflict() -> None:
    until_tuesday = Statement("I live in Paris.", MONDAY, Interval(None, TUESDAY))
    assert verdict(until_tuesday, Statement("I live in Rome.", TUESDAY)) is Verdict.INDEPENDENT


def test_a_later_statement_that_leaves_nothing_of_the_old_is_undecided() -> None:
    since_before = Statement("I live in Rome.", TUESDAY, Interval(MONDAY - timedelta(days=9), None))
    assert verdict(Statement("I live in Paris.", MONDAY), since_before) is Verdict.UNDECIDED


def test_two_statements_of_one_moment_are_undecided() -> None:
    one, other = Statement("I live in Paris.", MONDAY), Statement("I live in Rome.", MONDAY)
    assert verdict(one, other) is Verdict.UNDECIDED


def test_a_turn_that_says_more_than_what_was_replaced_stays() -> None:
    told = Statement("I live in Paris. I love the bread there.", MONDAY, kind="episodic")
    assert verdict(told, Statement("I moved to Rome.", TUESDAY)) is Verdict.UNDECIDED


@pytest.mark.parametrize("later", ["episodic", "factual"])
@pytest.mark.parametrize(
    ("told", "news"),
    [("I live in Paris.", "I moved to Rome!"), ("Anna lives in Oslo.", "Anna moved to Bergen.")],
)
def test_what_was_said_in_a_conversation_stays_said(told: str, news: str, later: str) -> None:
    turn = Statement(told, MONDAY, kind="episodic")
    assert verdict(turn, Statement(news, TUESDAY, kind=later)) is Verdict.UNDECIDED
    assert verdict(Statement(news, TUESDAY, kind=later), turn) is Verdict.UNDECIDED


def test_what_was_said_in_a_conversation_ends_a_fact() -> None:
    fact = Statement("The user lives in Paris.", MONDAY)
    assert verdict(fact, Statement("I moved to Rome!", TUESDAY, kind="episodic")) is Verdict.SUPERSEDES


@pytest.mark.parametrize(("old", "new"), HARMLESS)
def test_what_only_looks_like_an_update_ends_nothing(old: str, new: str) -> None:
    assert verdict(dated(old, MONDAY), dated(new, TUESDAY)) is not Verdict.SUPERSEDES


def test_two_speakers_have_two_homes() -> None:
    anna = Statement("I live in Oslo.", MONDAY, speaker="Anna")
    assert verdict(anna, Statement("I moved to Bergen.", TUESDAY, speaker="Bella")) is Verdict.INDEPENDENT
    assert verdict(anna, Statement("Anna moved to Bergen.", TUESDAY)) is Verdict.SUPERSEDES


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("We bought a red car in Leeds.", "We purchased a red car in Leeds."),
        ("Anna has two cats and a dog.", "Anna has 2 cats and a dog."),
        ("The deploy takes about ten minutes.", "The deploy takes 10 minutes."),
    ],
)
def test_the_same_facts_in_other_words_are_a_duplicate(old: str, new: str) -> None:
    assert verdict(Statement(old, MONDAY), Statement(new, TUESDAY), 0.95) is Verdict.DUPLICATE
    assert verdict(Statement(old, MONDAY), Statement(new, TUESDAY), 0.92) is Verdict.INDEPENDENT
    assert verdict(Statement(old, MONDAY), Statement(new, TUESDAY), None) is Verdict.INDEPENDENT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Order 123 was shipped.", "Order 124 was shipped."),
        ("Anna likes long walks.", "Bella likes long walks."),
        ("I chose the red one for the kitchen.", "I chose the blue one for the kitchen."),
        ("We walked in the park.", "We walked in the park with my brother."),
        ("Anna has two cats and a dog.", "Anna has two cats."),
        ("I chose oak for the kitchen.", "I chose pine for the kitchen."),
        ("J'ai choisi le chêne pour la cuisine.", "J'ai choisi le pin pour la cuisine."),
        ("我喜欢红色的椅子。", "我喜欢蓝色的椅子。"),
        ("Я люблю чёрный чай.", "Я люблю зелёный чай."),
        ("His mother is ill.", "Your mother is ill."),
        ("I saw the film yesterday.", "I saw the film yesterday!"),
        ("Anna: I saw the film.", "Bella: I saw the film."),
    ],
)
def test_other_facts_in_nearly_the_same_words_are_no_duplicate(old: str, new: str) -> None:
    assert verdict(Statement(old, MONDAY), Statement(new, TUESDAY), 0.97) is Verdict.INDEPENDENT
    assert verdict(Statement(new, MONDAY), Statement(old, TUESDAY), 0.97) is Verdict.INDEPENDENT


def test_a_denial_in_nearly_the_same_words_is_an_open_conflict() -> None:
    old = Statement("Free accounts can export their data.", MONDAY)
    new = Statement("Free accounts can not export their data.", TUESDAY)
    assert verdict(old, new, 0.97) is Verdict.UNDECIDED


def test_turns_of_a_talk_that_deny_each_other_are_two_turns() -> None:
    old = Statement("I did go to the park.", MONDAY, kind="episodic")
    new = Statement("I did not go to the park.", TUESDAY, kind="episodic")
    assert verdict(old, new, 0.97) is Verdict.INDEPENDENT
