"""What an answer, and what the user says of it, tell about the memories that the model was given."""

from uuid import UUID

import pytest

from ibex.context.learning import Told
from tests.context.learning.school import School

_FACT = "My sister Ines is allergic to hazelnuts."
_QUESTION = "What shall I leave out of the cake?"
_ANSWER = "Leave out the hazelnuts, to which Ines is allergic."


async def remembered(school: School, text: str = _FACT) -> Told:
    """A memory from another session."""
    await school.learn(school.turn(text, scope=school.scope(session_id="before")))
    [row] = [row for row in await school.memories() if row["content"] == text]
    return Told(row["id"], text)


async def row_of(school: School, told: Told) -> dict[str, object]:
    [row] = [row for row in await school.memories() if row["id"] == told.id]
    return row


async def test_a_memory_that_was_used_is_worth_more(school: School) -> None:
    nuts, night = await remembered(school), await remembered(school, "I work night shifts as a nurse.")
    turn = school.turn(_QUESTION, _ANSWER, told=[nuts, night])
    await school.learn(turn)

    used, unused = await row_of(school, nuts), await row_of(school, night)
    assert (used["uses"], used["last_used_at"]) == (1, turn.at)
    assert used["helpful"] == pytest.approx(1.1)
    assert (unused["uses"], unused["helpful"], unused["unhelpful"]) == (0, 1.0, 1.0)


async def test_a_turn_that_is_delivered_again_counts_once(school: School) -> None:
    nuts = await remembered(school)
    await school.learn(school.turn(_QUESTION, _ANSWER, told=[nuts]), times=3)
    assert (await row_of(school, nuts))["uses"] == 1
    [feedback] = await school.rows("memory_feedback")
    assert (feedback["source"], feedback["actor"]) == ("answer", "capture")


async def test_a_user_who_rejects_the_answer_makes_its_memories_worth_less(school: School) -> None:
    nuts, night = await remembered(school), await remembered(school, "I work night shifts as a nurse.")
    await school.learn(school.turn(_QUESTION, _ANSWER, told=[nuts, night]))
    await school.learn(school.turn("No, that's wrong, it was almonds.", "I see: no almonds then."), times=2)

    blamed = await row_of(school, nuts)
    assert blamed["unhelpful"] == pytest.approx(1.25)
    assert float(str(blamed["helpful"])) < float(str(blamed["unhelpful"]))
    assert (await row_of(school, night))["unhelpful"] == 1.0


@pytest.mark.parametrize("session", ["second", "third"])
async def test_a_correction_in_another_session_is_about_something_else(school: School, session: str) -> None:
    nuts = await remembered(school)
    await school.learn(school.turn(_QUESTION, _ANSWER, told=[nuts]))
    await school.learn(school.turn("No, that's wrong.", scope=school.scope(session_id=session)))
    assert (await row_of(school, nuts))["unhelpful"] == 1.0


async def test_a_correction_of_an_answer_that_used_nothing_blames_nothing(school: School) -> None:
    nuts = await remembered(school)
    await school.learn(school.turn(_QUESTION, _ANSWER, told=[nuts]))
    await school.learn(school.turn("How warm must the oven be?", "At 180 degrees.", told=[nuts]))
    await school.learn(school.turn("That is not right."))
    assert (await row_of(school, nuts))["unhelpful"] == 1.0


async def test_repeated_corrections_add_up_within_bounds(school: School) -> None:
    nuts = await remembered(school)
    for number in range(30):
        await school.learn(school.turn(f"{_QUESTION} And {number}?", _ANSWER, told=[nuts]))
        await school.learn(school.turn(f"No, that's wrong, number {number}."))
    row = await row_of(school, nuts)
    assert row["unhelpful"] == pytest.approx(6.0)
    assert row["helpful"] == pytest.approx(4.0)


async def test_a_memory_that_was_deleted_meanwhile_is_let_go(school: School) -> None:
    await school.learn(school.turn(_QUESTION, _ANSWER, told=[Told(UUID(int=7), _FACT)]))
    assert await school.rows("memory_feedback") == []
    assert _QUESTION in await school.contents()


async def test_what_is_not_stored_yet_cannot_count(school: School) -> None:
    await school.learn(school.turn(_QUESTION, _ANSWER, told=[Told(None, _FACT)]))
    assert [lesson.used for lesson in school.jobs.lessons] == [()]
