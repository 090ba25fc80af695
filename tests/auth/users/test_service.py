"""Users, as seen by two who change them at once."""

import asyncio

from ibex.auth import PlatformRight
from ibex.auth.tokens import repository as tokens
from ibex.auth.users import repository as users
from ibex.ids import uuid7
from tests.faults.waiting import a_statement_waits, until
from tests.fixtures import Database
from tests.operator import Operator


async def test_an_owner_can_lose_the_role_while_a_token_of_theirs_is_rotated(
    operator: Operator, database: Database
) -> None:
    org_id = await operator.organization()
    actor, service = operator.actor(org_id), operator.administration.users
    await service.create(actor, "ada@example.org", "Ada", "owner")
    owner = await service.create(actor, "grace@example.org", "Grace", "owner")
    issued = await operator.issue(org_id, platform=PlatformRight.ORGANIZATIONS, user_id=owner.id)
    async with operator.postgres.transaction(org_id) as rotation:
        assert await tokens.replace(rotation, issued.record.id, uuid7(), 60.0)
        change = asyncio.create_task(service.update(actor, owner.id, role="member"))
        await until(lambda: a_statement_waits(database.superuser_dsn))
        assert await users.find_to_rely_on(rotation, owner.id) is not None
    assert (await change).role == "member"
