"""What an answer says again, on sentences that were made up for this."""

from collections.abc import Iterable

import pytest

from ibex.context.learning.repetition import without_repetition
from ibex.context.learning.sentences import sentences
from ibex.memory import Tokenizer

_TOLD = (
    "My sister Ines is allergic to hazelnuts.",
    "I moved to Lisbon in spring, and the flat is close to the river.",
    "We meet every Thursday at seven in the library. Bring the blue folder.",
    "Ich arbeite seit März als Pflegerin in Bremen.",
    "我对花生过敏。",
)
_REPEATS = (
    "Your sister Ines is allergic to hazelnuts.",
    "As you told me, Ines, your sister, is allergic to hazelnuts.",
    'From the context I was given: "My sister Ines is allergic to hazelnuts."',
    "You moved to Lisbon in spring.",
    "You moved to Lisbon in the spring and your flat is close to the river!",
    "I remember that you moved to Lisbon in spring, and that the flat is close to the river.",
    "You meet every Thursday at seven in the library.",
    "Bring the blue folder.",
    "- Bring the blue folder",
    "Du arbeitest seit März als Pflegerin in Bremen.",
    "Hazelnuts.",
    "你对花生过敏。",
)
_TELLS = (
    "A cake with almonds would suit everybody at the party.",
    "Lisbon has a new tram line along the river since last week.",
    "Ask your sister whether she eats walnuts.",
    "The library is closed on public holidays, so call them before you go there.",
    "Hazelnuts are harvested in September, mostly in Turkey.",
    "Let us put the meeting with the landlord on Friday at nine.",
    "A folder for the tax papers costs four euros at the stationer's.",
    "In Bremen beginnt der Weihnachtsmarkt am Montag.",
    "Spring is a good time to plant tomatoes on a balcony.",
    "Since Ines is allergic to hazelnuts, almonds are the better choice.",
    "You moved to Lisbon in spring, so your tax year there begins in April.",
    "The flat is close to the river, so the cellar may flood in January.",
    "花生酱在超市有卖。",
)


def remaining(answer: str, told: Iterable[str]) -> str:
    tokenizer = Tokenizer()
    known = [sentence for text in told for sentence in sentences(text, tokenizer)]
    return without_repetition(sentences(answer, tokenizer), known)


@pytest.mark.parametrize("sentence", _REPEATS)
def test_what_was_told_is_not_remembered_as_an_answer(sentence: str) -> None:
    assert remaining(sentence, _TOLD) == ""


@pytest.mark.parametrize("sentence", _TELLS)
def test_what_is_new_stays_as_it_is(sentence: str) -> None:
    assert remaining(sentence, _TOLD) == sentence


def test_only_the_sentences_that_repeat_go() -> None:
    answer = "Ines is allergic to hazelnuts. I would bake a cake with almonds.\n\nBring the blue folder."
    assert remaining(answer, _TOLD) == "I would bake a cake with almonds."


def test_what_was_told_to_nobody_is_repeated_by_nobody() -> None:
    assert remaining(_REPEATS[0], ()) == _REPEATS[0]
