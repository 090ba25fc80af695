"""Every change leaves a line in its organization's audit, and no secret with it."""

from uuid import UUID

import pytest_asyncio

from tests.operator import Operator


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


async def audit_of(operator: Operator, org_id: UUID) -> list[tuple[str, str, str]]:
    async with operator.postgres.transaction(org_id) as connection:
        found = await connection.execute(
            "SELECT actor, action, target FROM ibex.audit_events ORDER BY number"
        )
        return await found.fetchall()


async def test_every_change_is_audited_with_who_did_it(operator: Operator, org_id: UUID) -> None:
    helper, issued = await operator.agent(org_id), await operator.issue(org_id)
    await operator.pause(org_id)
    await operator.resume(org_id)
    await operator.revoke(org_id, issued.text)
    assert await audit_of(operator, org_id) == [
        ("test", "organization.create", str(org_id)),
        ("test", "agent.create", str(helper.id)),
        ("test", "token.create", str(issued.record.id)),
        ("test", "agent.pause", str(helper.id)),
        ("test", "agent.resume", str(helper.id)),
        ("test", "token.revoke", str(issued.record.id)),
    ]


async def test_neither_token_nor_hash_is_in_the_audit(operator: Operator, org_id: UUID) -> None:
    text = await operator.token(org_id)
    async with operator.postgres.transaction(org_id) as connection:
        found = await connection.execute("SELECT audit_events::text FROM ibex.audit_events")
        rows = str(await found.fetchall())
        stored = await (await connection.execute("SELECT secret_hash FROM ibex.tokens")).fetchall()
    assert text.rpartition("_")[2] not in rows
    assert stored[0][0].hex() not in rows
