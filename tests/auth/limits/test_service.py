"""What is done to limits."""

from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from ibex.auth import (
    ALL,
    Actor,
    Allowance,
    Grant,
    LimitDefaults,
    LimitScope,
    Override,
    PlatformRight,
)
from ibex.auth.limits import service
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from tests.fixtures import Database
from tests.operator import Operator


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


async def put(
    operator: Operator, org_id: UUID, scope: LimitScope, subject: object, *limits: int | None
) -> Override:
    return await operator.administration.limits.put(
        operator.actor(org_id), scope, str(subject), Allowance(*limits)
    )


async def all_of(operator: Operator, org_id: UUID) -> list[Override]:
    return await operator.administration.limits.page(org_id, None, 100)


async def code_of_put(
    operator: Operator, org_id: UUID, scope: LimitScope, subject: object, *limits: int | None
) -> ErrorCode:
    with pytest.raises(IbexError) as caught:
        await put(operator, org_id, scope, subject, *(limits or (5,)))
    assert await all_of(operator, org_id) == []
    return caught.value.code


async def test_an_override_takes_the_place_of_the_one_before(operator: Operator, org_id: UUID) -> None:
    agent = await operator.agent(org_id)
    first = await put(operator, org_id, "agent", agent.id, 10, 20, 30)
    second = await put(operator, org_id, "agent", str(agent.id).upper(), None, 0)
    assert second.id == first.id
    assert second.allowance == Allowance(None, 0, None)
    assert await all_of(operator, org_id) == [second]


async def test_a_subject_is_one_of_the_organization(operator: Operator, org_id: UUID) -> None:
    other = await operator.organization("other")
    theirs = await operator.agent(other)
    issued = await operator.issue(other)
    subjects: list[tuple[LimitScope, UUID]] = [
        ("agent", theirs.id),
        ("token", issued.record.id),
        ("agent", uuid7()),
        ("token", uuid7()),
    ]
    for scope, subject in subjects:
        assert await code_of_put(operator, org_id, scope, subject) is ErrorCode.ACCESS_DENIED
    assert await code_of_put(operator, org_id, "organization", other) is ErrorCode.ACCESS_DENIED


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        ("agent", "helper"),
        ("token", ""),
        ("organization", "*"),
        ("end_user", ""),
        ("end_user", "x" * 257),
        ("end_user", "a\x00b"),
        ("end_user", "a\nb"),
        ("end_user", "\ud800"),
    ],
)
async def test_what_names_nobody_is_refused(
    operator: Operator, org_id: UUID, scope: LimitScope, subject: str
) -> None:
    assert await code_of_put(operator, org_id, scope, subject) is ErrorCode.VALIDATION_ERROR


@pytest.mark.parametrize("name", ["Zoë 🤖", "x" * 256, "'; DROP TABLE", "*", "a/b?c=d", " "])
async def test_an_end_user_may_have_any_other_name(operator: Operator, org_id: UUID, name: str) -> None:
    assert (await put(operator, org_id, "end_user", name, 5)).subject == name


async def test_an_override_says_something(operator: Operator, org_id: UUID) -> None:
    assert await code_of_put(operator, org_id, "end_user", "zoe", None) is ErrorCode.VALIDATION_ERROR


async def test_an_organization_does_not_lift_its_own_limits(operator: Operator, org_id: UUID) -> None:
    limits = operator.administration.limits
    admin = Actor(org_id, "token:x", Grant(ALL))
    with pytest.raises(IbexError) as caught:
        await limits.put(admin, "organization", str(org_id), Allowance(1_000_000))
    assert caught.value.code is ErrorCode.INSUFFICIENT_PERMISSIONS
    holder = Actor(org_id, "token:y", Grant(ALL, PlatformRight.ORGANIZATIONS))
    stored = await limits.put(holder, "organization", str(org_id), Allowance(5))
    with pytest.raises(IbexError) as caught:
        await limits.remove(admin, stored.id)
    assert caught.value.code is ErrorCode.INSUFFICIENT_PERMISSIONS
    assert await all_of(operator, org_id) == [stored]
    await limits.remove(holder, stored.id)
    assert await all_of(operator, org_id) == []


async def test_what_is_not_there_cannot_be_removed(operator: Operator, org_id: UUID) -> None:
    limits = operator.administration.limits
    other = await operator.organization("other")
    theirs = await put(operator, other, "end_user", "zoe", 5)
    for limit_id in (theirs.id, uuid7()):
        with pytest.raises(IbexError) as caught:
            await limits.remove(operator.actor(org_id), limit_id)
        assert caught.value.code is ErrorCode.ACCESS_DENIED
    with pytest.raises(IbexError) as caught:
        await limits.remove_of(operator.actor(org_id), "end_user", "zoe")
    assert caught.value.code is ErrorCode.ACCESS_DENIED
    assert await all_of(operator, other) == [theirs]


async def test_an_organization_has_so_many_overrides_and_no_more(
    operator: Operator, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_OVERRIDES", 3)
    for number in range(3):
        await put(operator, org_id, "end_user", f"user {number}", 5)
    with pytest.raises(IbexError) as caught:
        await put(operator, org_id, "end_user", "one too many", 5)
    assert caught.value.code is ErrorCode.CONFLICT
    assert (await put(operator, org_id, "end_user", "user 1", 6)).requests_per_minute == 6
    assert len(await all_of(operator, org_id)) == 3


async def test_changes_are_audited_and_noted(operator: Operator, database: Database, org_id: UUID) -> None:
    agent = await operator.agent(org_id)
    stored = await put(operator, org_id, "agent", agent.id, 10, None, 0)
    await operator.administration.limits.remove(operator.actor(org_id), stored.id)
    async with operator.postgres.transaction(org_id) as connection:
        events = await connection.execute(
            "SELECT action, target, outcome, detail::jsonb FROM ibex.audit_events "
            "WHERE action LIKE 'limit.%' ORDER BY number"
        )
        assert await events.fetchall() == [
            (
                "limit.set",
                f"agent:{agent.id}",
                "success",
                {"requests_per_minute": 10, "concurrent_requests": 0},
            ),
            ("limit.remove", f"agent:{agent.id}", "success", {}),
        ]
    with psycopg.connect(database.superuser_dsn) as admin:
        noted = admin.execute(
            "SELECT count(*) FROM ibex.changes WHERE kind = 'limits' AND subject = %s", (org_id,)
        )
        assert noted.fetchone() == (2,)


async def test_what_applies_is_shown(operator: Operator, org_id: UUID) -> None:
    limits = operator.administration.limits
    defaults = LimitDefaults(agent=Allowance(100), organization=Allowance(1_000, 5_000))
    agent, issued = await operator.agent(org_id), await operator.issue(org_id)
    await put(operator, org_id, "agent", agent.id, None, 70)
    await put(operator, org_id, "end_user", "*", 3)
    shown = await limits.effective(
        org_id, defaults, token_id=issued.record.id, agent_id=agent.id, end_user="zoe"
    )
    assert [(each.scope, each.subject, each.allowance) for each in shown] == [
        ("token", str(issued.record.id), Allowance()),
        ("agent", str(agent.id), Allowance(100, 70)),
        ("end_user", "zoe", Allowance(3)),
        ("organization", str(org_id), Allowance(1_000, 5_000)),
    ]
    assert len(await limits.effective(org_id, defaults)) == 1


async def test_what_applies_to_others_agents_is_not_shown(operator: Operator, org_id: UUID) -> None:
    theirs = await operator.agent(await operator.organization("other"))
    with pytest.raises(IbexError) as caught:
        await operator.administration.limits.effective(org_id, LimitDefaults(), agent_id=theirs.id)
    assert caught.value.code is ErrorCode.ACCESS_DENIED
