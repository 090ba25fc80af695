"""The difference of two texts: what `patch` would need to make one of the other."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.context.directives.difference import Difference, difference
from ibex.errors import ErrorCode, IbexError
from tests.context.directives.desk import Desk
from tests.operator import Operator

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "+d", "-e", "@@ f", "\u2028g"]), max_size=30)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


def between(before: str, after: str) -> Difference:
    return difference(before, after, "version 1", "version 2")


def test_it_reads_like_any_diff() -> None:
    found = between("one\ntwo\nthree\n", "one\n2\nthree")
    assert found.text == (
        "--- version 1\n+++ version 2\n@@ -1,3 +1,3 @@\n one\n-two\n-three\n+2\n+three\n"
        "\\ No newline at end of text\n"
    )
    assert (found.added, found.removed) == (2, 2)


@given(TEXTS, TEXTS)
def test_applied_to_the_one_it_gives_the_other(before: str, after: str) -> None:
    found = between(before, after)
    assert applied(before, found.text) == after
    assert (found.text == "") == (before == after)


@given(TEXTS, st.integers(0, 20), st.integers(0, 20))
def test_so_it_does_for_texts_too_long_to_be_compared(ends: str, head: int, tail: int) -> None:
    before = "\n".join([*["same"] * head, *(f"old {n}" for n in range(1_200)), *["alike"] * tail]) + ends
    after = "\n".join([*["same"] * head, *(f"new {n}" for n in range(1_100)), *["alike"] * tail]) + ends
    found = between(before, after)
    assert applied(before, found.text) == after
    assert (found.added, found.removed) >= (1_100, 1_200)


def applied(before: str, diff: str) -> str:
    """A text after a unified diff, as `patch` would do it."""
    *whole, rest = before.split("\n")
    old = [*(f"{line}\n" for line in whole), *([rest] if rest else [])]
    new: list[str] = []
    position = 0
    lines = diff.replace("\n\\ No newline at end of text\n", "\0").split("\n")[2:]
    for line in "\n".join(lines).replace("\0", "\0\n").split("\n"):
        text = line[1:].removesuffix("\0") + ("" if line.endswith("\0") else "\n")
        if line.startswith("@@ -"):
            start, _, count = line.split()[1].removeprefix("-").partition(",")
            first = int(start) - (count != "0")
            new += old[position:first]
            position = first
        elif line.startswith(" "):
            assert old[position] == text
            new.append(text)
            position += 1
        elif line.startswith("-"):
            assert old[position] == text
            position += 1
        elif line.startswith("+"):
            new.append(text)
    return "".join([*new, *old[position:]])


async def test_a_version_is_compared_with_the_one_before_or_any_other(desk: Desk) -> None:
    first, second, third = [await desk.written(text) for text in ("one", "two", "one")]
    compared = await desk.directives.compare(desk.actor, third.id)
    assert (compared.before and compared.before.number, compared.after.number) == (2, 3)
    assert compared.difference.text.startswith("--- version 2\n+++ version 3\n")
    same = await desk.directives.compare(desk.actor, third.id, first.id)
    assert (same.difference.text, same.difference.added) == ("", 0)
    alone = await desk.directives.compare(desk.actor, first.id)
    assert (alone.before, alone.difference.added, alone.difference.removed) == (None, 1, 0)
    assert second.content not in repr(compared)


async def test_versions_of_two_agents_are_not_compared(operator: Operator, desk: Desk) -> None:
    await operator.create_agent(desk.actor.org_id, "Other", "other")
    other = await Desk.of(operator, desk.actor.org_id, "other")
    one, another = await desk.written(), await other.written()
    with pytest.raises(IbexError) as refusal:
        await desk.directives.compare(desk.actor, one.id, another.id)
    assert (refusal.value.code, refusal.value.param) == (ErrorCode.VALIDATION_ERROR, "against")


async def test_a_long_comparison_lets_others_go_on(desk: Desk) -> None:
    """32 KiB of lines that would take most of a minute to compare in full."""
    for word in ("a", "b"):
        await desk.written("".join(f"e{n % 40}\n{word}{n}\n" for n in range(3_000)))
    newest = (await desk.directives.page(desk.actor, desk.agent_id, None, None, 10))[-1]
    comparing = asyncio.create_task(desk.directives.compare(desk.actor, newest.id))
    turns = 0
    while not comparing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 1
    assert (await comparing).difference.added > 0
