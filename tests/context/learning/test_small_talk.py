"""What is worth no memory."""

import pytest

from ibex.context.learning.small_talk import is_small_talk

# ruff: noqa: RUF001, the point here is other scripts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "👍",
        "...!",
        "ok",
        "Thanks a lot!",
        "Thank you very much",
        "Yes, please.",
        "Good morning!",
        "Danke schön",
        "Vielen Dank!",
        "Merci beaucoup",
        "d’accord",
        "Muchas gracias",
        "Buongiorno!",
        "Obrigada",
        "Спасибо большое",
        "谢谢",
        "はい、ありがとうございます",
        "감사합니다",
        "धन्यवाद",
        "شكرا",
    ],
)
def test_politeness_is_not_remembered(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "I moved to Lisbon",
        "42",
        "Thanks, I live in Porto",
        "No nuts!",
        "Danke, ich bin Pflegerin",
        "我喜欢绿茶",
        "Hello, I am Ada",
        "yes yes yes yes yes yes yes",
    ],
)
def test_what_tells_something_is(text: str) -> None:
    assert not is_small_talk(text)
