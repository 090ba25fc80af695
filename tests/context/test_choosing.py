"""What is told of what was recalled."""

from datetime import UTC, datetime
from uuid import UUID

from ibex.context.choosing import chosen
from ibex.context.packing import PackingRules
from ibex.context.retrieval import Recalled

DAY = datetime(2030, 1, 31, tzinfo=UTC)


def recalled(number: int, text: str) -> Recalled:
    return Recalled(
        id=UUID(int=number),
        kind="episodic",
        text=text,
        voice="user",
        observed_at=DAY,
        pinned=False,
        source="search",
        score=1.0 / number,
    )


def words(text: str) -> int:
    return len(text.split())


def test_texts_that_are_far_too_long_are_not_even_counted() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return words(text)

    books = [recalled(number, f"{number} " + "tea " * 25_000) for number in range(1, 50)]
    found = chosen([*books, recalled(50, "I drink tea.")], 1_000, count, rules=PackingRules())

    assert [told.text for told in found.told] == ["I drink tea."]
    assert {each.reason for each in found.considered[:-1]} == {"budget"}
    assert len(counted) == 1


def test_what_stands_in_the_conversation_is_not_told_again() -> None:
    found = chosen(
        [recalled(1, "I drink tea."), recalled(2, "I live in Lisbon.")],
        1_000,
        words,
        said=["Hello! I  drink TEA. And you?"],
        rules=PackingRules(),
    )

    assert [told.text for told in found.told] == ["I live in Lisbon."]
    assert [each.reason for each in found.considered] == ["conversation", None]
