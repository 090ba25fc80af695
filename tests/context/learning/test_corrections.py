"""How users say that an answer was wrong, on sentences that were made up for this."""

import pytest

from ibex.context.learning.corrections import is_correction

# ruff: noqa: RUF001, the point here is other scripts


@pytest.mark.parametrize(
    "text",
    [
        "No, that's wrong.",
        "no that is not right, it was Tuesday",
        "That's not what I asked. I want the price.",
        "That isn’t correct!",
        "Actually, that's outdated: I live in Porto now",
        "You're wrong, she is my aunt",
        "You misunderstood me",
        "I meant the other one",
        "Sorry, I meant Berlin",
        "Wrong. Try again",
        "Not what I meant",
        "I never said that",
        "I didn't say that I like coffee",
        "This is no longer true, I quit in May",
        "Hmm, no, that was not what I said",
        "Nein, das ist falsch.",
        "Das stimmt nicht, ich wohne in Köln",
        "Non, c'est faux",
        "Je voulais dire mardi",
        "No, eso no es cierto",
        "Quise decir mañana",
        "No, è sbagliato",
        "Não é verdade",
        "Нет, это неправда",
        "不对，我住在上海",
        "違います",
    ],
)
def test_a_correction_is_recognized(text: str) -> None:
    assert is_correction(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No, thanks.",
        "No problem!",
        "That's right.",
        "That is great, thank you",
        "I meant to ask you about the weather",
        "Is that wrong?",
        "What is wrong with my code?",
        "Wrong number, how do I block the caller?",
        "You are great",
        "Nein danke",
        "No, but what about Friday?",
        "Why is it false that 0.1 + 0.2 == 0.3?",
        "The doctor said that's wrong, what do you think?",
        "Actually, I would like to go on Sunday",
        "I asked my sister, and she agrees",
        "不用了，谢谢",
    ],
)
def test_what_is_no_correction_is_let_pass(text: str) -> None:
    assert not is_correction(text)
