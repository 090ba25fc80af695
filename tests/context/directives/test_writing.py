"""A version is kept as it was written, and nothing changes it."""

import asyncio
import hashlib
from dataclasses import replace

import pytest

from ibex.auth.audit import Selection
from ibex.errors import ErrorCode, IbexError
from tests.context.directives.desk import Desk
from tests.operator import Operator

TEXTS = [
    "{name}, {{}} and {0}: %s, ${HOME}, $1",
    '<memory id="1">&amp;</memory> ]]> <!-- <?xml version="1.0"?>',
    "🦌" * (32 * 1024 // 4),
    " \n\t leading and trailing space stays \r\n",
    "e\u0301 is not \u00e9, \u202e and \u2028 are letters here",
    "a",
]


@pytest.mark.parametrize("content", TEXTS, ids=lambda text: str(text[:12]))
async def test_a_text_comes_back_as_it_was(desk: Desk, content: str) -> None:
    written = await desk.written(content)
    assert written.content == content
    assert written.sha256 == hashlib.sha256(content.encode()).hexdigest()
    assert written.size == len(content.encode())
    assert "content" not in repr(written)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "can be seen"),
        (" \n\t", "can be seen"),
        ("a\0b", "control characters"),
        ("a\x1b[31mb", "control characters"),
        ("a\x85b", "control characters"),
        ("a\ud800b", "control characters"),
        ("a" * (32 * 1024 + 1), "32,768 bytes"),
        ("🦌" * (32 * 1024 // 4) + "a", "not 32,769"),
    ],
)
async def test_a_text_that_cannot_be_a_directive_is_refused(desk: Desk, content: str, reason: str) -> None:
    with pytest.raises(IbexError, match=reason) as refusal:
        await desk.written(content)
    assert (refusal.value.code, refusal.value.param) == (ErrorCode.VALIDATION_ERROR, "content")
    assert await desk.directives.page(desk.actor, desk.agent_id, None, None, 10) == []


async def test_a_mode_and_a_summary_are_checked(desk: Desk) -> None:
    for arguments, field in ((("middle", None), "mode"), (("system_first", "a" * 2_001), "change_summary")):
        with pytest.raises(IbexError) as refusal:
            await desk.directives.create(desk.actor, desk.agent_id, "Be brief.", *arguments)
        assert refusal.value.param == field


async def test_a_summary_is_the_authors_or_else_counts_lines(desk: Desk) -> None:
    first = await desk.written("one\ntwo\nthree")
    second = await desk.written("one\n2\nthree\nfour")
    own = await desk.directives.create(desk.actor, desk.agent_id, "x", change_summary="Everything anew.")
    assert first.change_summary == "The first version."
    assert second.change_summary == "2 lines added and 1 removed since version 1."
    assert own.change_summary == "Everything anew."


async def test_a_version_begins_as_a_draft_or_in_review(desk: Desk) -> None:
    assert (await desk.written(submit=False)).status == "draft"
    assert (await desk.written(submit=True)).status == "review"


async def test_versions_written_together_are_numbered_without_a_gap(operator: Operator, desk: Desk) -> None:
    await operator.create_agent(desk.actor.org_id, "Other", "other")
    other = await Desk.of(operator, desk.actor.org_id, "other")
    await asyncio.gather(*(each.written(f"text {n}") for n in range(12) for each in (desk, other)))
    for each in (desk, other):
        found = await each.directives.page(each.actor, each.agent_id, None, None, 50)
        assert sorted(entry.number for entry in found) == list(range(1, 13))


async def test_a_version_that_was_refused_leaves_no_gap(desk: Desk) -> None:
    await desk.written()
    with pytest.raises(IbexError):
        await desk.written("")
    assert (await desk.written()).number == 2


async def test_the_audit_tells_of_a_version_and_not_what_it_says(desk: Desk) -> None:
    written = await desk.directives.create(
        desk.actor, desk.agent_id, "A canary sings.", change_summary="A canary."
    )
    events = await desk.operator.administration.audit.page(
        desk.actor.org_id, None, 10, Selection(target=str(written.id))
    )
    assert [event.action for event in events] == ["directive.create"]
    assert '"number":1' in events[0].detail
    assert "canary" not in str(events)


async def test_another_agents_directives_are_out_of_reach_of_a_bound_actor(
    operator: Operator, desk: Desk
) -> None:
    agent = await operator.create_agent(desk.actor.org_id, "Other", "other")
    written = await desk.written()
    bound = replace(desk.actor, agent_id=agent.id)
    for attempt in (
        desk.directives.get(bound, written.id),
        desk.directives.create(bound, desk.agent_id, "x"),
        desk.directives.promote(bound, written.id),
        desk.directives.revoke(bound, written.id),
        desk.directives.roll_back(bound, desk.agent_id),
        desk.directives.rollout(bound, desk.agent_id),
        desk.directives.page(bound, desk.agent_id, None, None, 10),
    ):
        with pytest.raises(IbexError) as refusal:
            await attempt
        assert refusal.value.code == ErrorCode.AGENT_NOT_AUTHORIZED
    assert await desk.directives.page(bound, None, None, None, 10) == []
