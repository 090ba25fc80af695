"""What becomes of versions: promoted, rolled out, rolled back, revoked; each told of and none lost."""

import asyncio
from collections.abc import Awaitable

import psycopg
import pytest

from ibex.auth.audit import Selection
from ibex.context.directives import Directive
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from tests.context.directives.desk import Desk
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator


async def refusal(attempt: Awaitable[object]) -> IbexError:
    with pytest.raises(IbexError) as raised:
        await attempt
    return raised.value


async def refused(attempt: Awaitable[object], sentence: str) -> None:
    error = await refusal(attempt)
    assert error.code == ErrorCode.CONFLICT
    assert sentence in error.message


async def test_a_draft_is_submitted_and_promoted(desk: Desk) -> None:
    draft = await desk.written(submit=False)
    await refused(desk.directives.promote(desk.actor, draft.id), "submit it first")
    submitted = await desk.directives.submit(desk.actor, draft.id)
    assert (submitted.status, submitted.activated_at) == ("review", None)
    await refused(desk.directives.submit(desk.actor, draft.id), "is no draft: it is in review")
    promoted = await desk.directives.promote(desk.actor, draft.id)
    assert promoted.status == "active"
    assert promoted.activated_at is not None
    await refused(desk.directives.promote(desk.actor, draft.id), "active already")


async def test_a_promotion_deprecates_the_one_before(desk: Desk) -> None:
    first = await desk.active("one")
    await desk.active("two")
    ended = await desk.directives.get(desk.actor, first.id)
    assert ended.status == "deprecated"
    assert ended.ended_at is not None
    assert ended.kept_until is not None
    assert (ended.kept_until - ended.ended_at).total_seconds() == pytest.approx(86_400, abs=5)


async def test_a_promotion_at_once_leaves_no_session_behind(desk: Desk) -> None:
    versions = [await desk.active("one"), await desk.active("two")]
    await desk.active("three", at_once=True)
    for version in versions:
        assert (await desk.directives.get(desk.actor, version.id)).kept_until is None
    error = await refusal(desk.directives.promote(desk.actor, versions[0].id, 0.5, at_once=True))
    assert (error.code, error.param) == (ErrorCode.VALIDATION_ERROR, "at_once")


async def test_a_rollout_is_raised_and_finished(desk: Desk) -> None:
    first = await desk.active("one")
    candidate = await desk.rolled_out("two", 0.1)
    assert (candidate.status, candidate.share) == ("review", 0.1)
    raised = await desk.directives.promote(desk.actor, candidate.id, 0.5)
    assert (raised.share, raised.offered_at) == (0.5, candidate.offered_at)
    assert await desk.active_number() == 1
    finished = await desk.directives.promote(desk.actor, candidate.id)
    assert (finished.status, finished.share) == ("active", None)
    assert await desk.status(first) == "deprecated"


async def test_there_is_one_rollout_at_a_time(desk: Desk) -> None:
    await desk.active("one")
    candidate = await desk.rolled_out("two", 0.1)
    other = await desk.written("three")
    for attempt in (
        desk.directives.promote(desk.actor, other.id, 0.1),
        desk.directives.promote(desk.actor, other.id),
        desk.directives.roll_back(desk.actor, desk.agent_id),
    ):
        await refused(attempt, "Version 2 is being rolled out")
    aborted = await desk.directives.abort(desk.actor, candidate.id)
    assert (aborted.status, aborted.share) == ("review", None)
    await refused(desk.directives.abort(desk.actor, candidate.id), "not being rolled out")
    assert (await desk.directives.promote(desk.actor, other.id)).status == "active"


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
async def test_a_share_is_a_share(desk: Desk, share: float) -> None:
    written = await desk.written()
    error = await refusal(desk.directives.promote(desk.actor, written.id, share))
    assert (error.code, error.param) == (ErrorCode.VALIDATION_ERROR, "share")


async def test_a_rollback_leads_to_the_version_before(desk: Desk) -> None:
    for text in ("one", "two", "three"):
        await desk.active(text)
    back = await desk.directives.roll_back(desk.actor, desk.agent_id)
    assert (back.number, back.status, back.ended_at is not None) == (2, "active", True)
    # Not to the one that was just left.
    assert (await desk.directives.roll_back(desk.actor, desk.agent_id)).number == 1
    await refused(desk.directives.roll_back(desk.actor, desk.agent_id), "no earlier version")
    assert (await desk.directives.roll_back(desk.actor, desk.agent_id, 3)).number == 3


async def test_a_rollback_leads_only_to_what_was_active(desk: Desk) -> None:
    first = await desk.active("one")
    await desk.active("two")
    await desk.written("three")
    roll_back = desk.directives.roll_back
    await refused(roll_back(desk.actor, desk.agent_id, 2), "it is active")
    await refused(roll_back(desk.actor, desk.agent_id, 3), "it is in review")
    assert (await refusal(roll_back(desk.actor, desk.agent_id, 4))).code == ErrorCode.ACCESS_DENIED
    await desk.directives.revoke(desk.actor, first.id)
    await refused(roll_back(desk.actor, desk.agent_id, 1), "it is revoked")
    await refused(roll_back(desk.actor, desk.agent_id), "no earlier version")
    assert await desk.active_number() == 2


async def test_a_version_that_was_left_can_be_rolled_out_again(desk: Desk) -> None:
    await desk.active("one")
    second = await desk.active("two")
    await desk.directives.roll_back(desk.actor, desk.agent_id)
    again = await desk.directives.promote(desk.actor, second.id, 0.2)
    assert (again.status, again.share) == ("deprecated", 0.2)
    finished = await desk.directives.promote(desk.actor, second.id)
    assert (finished.status, finished.is_rolled_back) == ("active", False)


async def test_in_the_place_of_a_revoked_version_comes_the_one_before(desk: Desk) -> None:
    versions: list[Directive] = [await desk.active(text) for text in ("one", "two", "three")]
    revoked = await desk.directives.revoke(desk.actor, versions[2].id)
    assert (revoked.status, revoked.revoked_at is not None) == ("revoked", True)
    assert await desk.active_number() == 2
    await desk.directives.revoke(desk.actor, versions[0].id)
    assert await desk.active_number() == 2
    await desk.directives.revoke(desk.actor, versions[1].id)
    assert await desk.active_number() is None
    for version in versions:
        await refused(desk.directives.revoke(desk.actor, version.id), "revoked already")
        await refused(desk.directives.promote(desk.actor, version.id), "is revoked")


async def test_nothing_falls_back_to_what_was_rolled_back(desk: Desk) -> None:
    first = await desk.active("one")
    await desk.active("two")
    await desk.directives.roll_back(desk.actor, desk.agent_id)
    await desk.directives.revoke(desk.actor, first.id)
    assert await desk.active_number() is None


async def test_going_forward_again_is_no_reason_to_avoid_the_older_one(desk: Desk) -> None:
    await desk.active("one")
    second = await desk.active("two")
    await desk.directives.roll_back(desk.actor, desk.agent_id)
    await desk.directives.roll_back(desk.actor, desk.agent_id, 2)
    await desk.directives.revoke(desk.actor, second.id)
    assert await desk.active_number() == 1


async def test_what_is_rolled_out_or_a_draft_can_be_revoked(desk: Desk) -> None:
    await desk.active("one")
    candidate = await desk.rolled_out("two", 0.5)
    draft = await desk.written("three", submit=False)
    for version in (candidate, draft):
        assert (await desk.directives.revoke(desk.actor, version.id)).share is None
    found = await desk.directives.rollout(desk.actor, desk.agent_id)
    assert (found.active and found.active.number, found.candidate) == (1, None)


async def test_of_two_promotions_of_one_version_one_wins(desk: Desk) -> None:
    written = await desk.written()
    results = await asyncio.gather(
        *(desk.directives.promote(desk.actor, written.id) for _ in range(2)), return_exceptions=True
    )
    assert sorted(outcome(result) for result in results) == ["CONFLICT", "active"]


async def test_of_two_promotions_at_once_one_wins(database: Database, desk: Desk) -> None:
    """Both have looked at what is in use before either may change it."""
    await desk.active("one")
    versions = [await desk.written("two"), await desk.written("three")]
    promotions = []
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("SELECT FROM ibex.agents FOR UPDATE")
        promotions = [
            asyncio.create_task(desk.directives.promote(desk.actor, version.id)) for version in versions
        ]
        await until(lambda: waiting(database) == 2)
        connection.rollback()
    results = await asyncio.gather(*promotions, return_exceptions=True)
    assert sorted(outcome(result) for result in results) == ["CONFLICT", "active"]
    assert await desk.active_number() in {2, 3}


async def test_what_does_not_exist_is_not_told_from_what_is_anothers(operator: Operator, desk: Desk) -> None:
    other = await Desk.of(operator, await operator.organization("other"))
    written = await desk.written()
    for directive_id in (written.id, uuid7()):
        for attempt in (
            other.directives.get(other.actor, directive_id),
            other.directives.submit(other.actor, directive_id),
            other.directives.promote(other.actor, directive_id),
            other.directives.abort(other.actor, directive_id),
            other.directives.revoke(other.actor, directive_id),
            other.directives.compare(other.actor, directive_id),
        ):
            assert (await refusal(attempt)).code == ErrorCode.ACCESS_DENIED
    assert (await refusal(other.directives.create(other.actor, desk.agent_id, "x"))).code == "ACCESS_DENIED"
    assert await desk.status(written) == "review"


async def test_every_change_is_in_the_audit(desk: Desk) -> None:
    first = await desk.active("one")
    second = await desk.written("two", submit=False)
    await desk.directives.submit(desk.actor, second.id)
    await desk.directives.promote(desk.actor, second.id, 0.25)
    await desk.directives.abort(desk.actor, second.id)
    await desk.directives.promote(desk.actor, second.id)
    await desk.directives.roll_back(desk.actor, desk.agent_id)
    await desk.directives.promote(desk.actor, second.id)
    await desk.directives.revoke(desk.actor, second.id)
    newest_first = await desk.operator.administration.audit.page(
        desk.actor.org_id, None, 50, Selection(action="directive.")
    )
    events = newest_first[::-1]
    assert [(event.action.removeprefix("directive."), event.target) for event in events] == [
        ("create", str(first.id)),
        ("promote", str(first.id)),
        ("create", str(second.id)),
        ("submit", str(second.id)),
        ("rollout", str(second.id)),
        ("abort", str(second.id)),
        ("promote", str(second.id)),
        ("rollback", str(first.id)),
        ("promote", str(second.id)),
        ("revoke", str(second.id)),
        ("fallback", str(first.id)),
    ]
    assert '"share":"0.25"' in events[4].detail


def outcome(result: object) -> str:
    return str(result.code) if isinstance(result, IbexError) else getattr(result, "status", repr(result))


def waiting(database: Database) -> int:
    """How many statements wait for a lock."""
    with psycopg.connect(database.superuser_dsn) as connection:
        return connection.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).rowcount
