"""Whether memories were used, on answers that were made up for this."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from ibex.context.learning.sentences import sentences
from ibex.context.learning.use import used
from ibex.memory import Tokenizer

_MEMORIES = {
    "nuts": "My sister Ines is allergic to hazelnuts.",
    "lisbon": "I moved to Lisbon in spring, and the flat is close to the river.",
    "club": "The book club meets every Thursday at seven in the library on Mill Street.",
    "job": "I work as a nurse at the children's hospital and have night shifts every other week.",
    "dog": "Our dog Bruno is a beagle. He hates thunderstorms.",
    "budget": "For the new laptop I do not want to spend more than 900 euros.",
    "tea": "I drink green tea, never coffee.",
    "car": "Der Wagen ist ein alter roter Volvo.",
}


@dataclass(frozen=True)
class Case:
    question: str
    answer: str
    used: frozenset[str]


def case(question: str, answer: str, *names: str) -> Case:
    return Case(question, answer, frozenset(names))


_CASES = (
    case("What must I leave out of the cake for Ines?", "Leave out hazelnuts.", "nuts"),
    case(
        "Suggest a dessert for my sister's birthday.",
        "How about a lemon tart? It has no hazelnuts, to which Ines is allergic.",
        "nuts",
    ),
    case("Suggest a dessert for a birthday.", "A lemon tart is always welcome."),
    case("Where do I live?", "You live in Lisbon, close to the river.", "lisbon"),
    case("What should I see in Lisbon?", "The Alfama district, and the tower of Belém."),
    case("When is the book club?", "On Thursday at seven, in the library.", "club"),
    case("Recommend me a novel.", "Try Middlemarch by George Eliot. It is long and rewarding."),
    case(
        "Can I take a course on weekday mornings?",
        "It depends on your night shifts at the hospital: in those weeks mornings will be hard.",
        "job",
    ),
    case("Is there a good hospital in Porto?", "The hospital of São João is the largest one."),
    case("Why is Bruno hiding under the bed?", "There may be a thunderstorm coming; he hates them.", "dog"),
    case("How old do dogs become?", "Ten to thirteen years on average, small breeds more."),
    case("Find me a laptop.", "This one costs 849 euros, which is within your 900 euros.", "budget"),
    case("How fast is light?", "Light travels 299,792 kilometres per second."),
    case("What shall I order at the cafe?", "A green tea, since you never drink coffee.", "tea"),
    case("How is espresso made?", "Hot water is pressed through ground coffee beans."),
    case("Welche Farbe hat mein Auto?", "Dein Volvo ist rot.", "car"),
    case("Plan my Thursday.", "Work in the morning, and the book club at seven in the library.", "club"),
    case("Translate 'good morning' to Portuguese.", "Bom dia."),
    case(
        "Plan a weekend for us and the dog.",
        "Walk along the river with Bruno; skip it if thunderstorms are forecast.",
        "dog",
    ),
    case("Is coffee healthy?", "In moderation it is fine; green tea has less caffeine."),
    case("What is open tonight?", "The library on High Street closes at eight, the museum at ten."),
    case("What does a nurse earn?", "In a hospital some 3,000 euros a month, with night shifts more."),
    case("Tell me about Portugal.", "Its capital is Lisbon, at the mouth of the river Tagus."),
    case("What may I give the guests to drink?", "Offer tea and water; you have no coffee.", "tea"),
    case(
        "Write a haiku about spring.",
        "Petals on the stream / the heron waits in the reeds / rain begins to fall",
    ),
)


def is_used(answer: str, question: str, told: Sequence[str]) -> list[bool]:
    tokenizer = Tokenizer()
    texts = [sentences(text, tokenizer) for text in told]
    return used(sentences(answer, tokenizer), sentences(question, tokenizer), texts)


def judged(each: Case) -> frozenset[str]:
    found = is_used(each.answer, each.question, list(_MEMORIES.values()))
    return frozenset(name for name, one in zip(_MEMORIES, found, strict=True) if one)


def test_most_that_count_as_used_were_and_most_that_were_count() -> None:
    """Measured: 9 of 10 that count were used, and 9 of 12 that were used count.

    With a threshold of 0.3 it would be 11 of 14 and 11 of 12, with 0.5 6 of 7 and 6 of 12.
    """
    right = sum(len(judged(each) & each.used) for each in _CASES)
    precision = right / sum(len(judged(each)) for each in _CASES)
    recall = right / sum(len(each.used) for each in _CASES)
    assert precision >= 0.9
    assert recall >= 0.75


def test_what_the_question_says_already_shows_no_use() -> None:
    answer = "Your sister Ines should see a doctor."
    assert is_used(
        answer, "My sister Ines has a headache, what now?", ["My sister Ines lives in Porto."]
    ) == [False]


@pytest.mark.parametrize(("answer", "question"), [("", "What now?"), ("Yes.", ""), ("…", "")])
def test_an_answer_without_words_uses_nothing(answer: str, question: str) -> None:
    assert is_used(answer, question, [_MEMORIES["tea"]]) == [False]
