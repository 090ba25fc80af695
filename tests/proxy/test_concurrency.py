"""Many requests of two organizations at once: each gets its own answer, and leaves its own row."""

import asyncio
from collections import Counter
from uuid import UUID

from httpx2 import AsyncClient

from tests.fixtures import Database
from tests.operator import Operator
from tests.providers import payloads
from tests.providers.stub import StubProvider
from tests.proxy.asking import CHAT, chat
from tests.proxy.records import sessions, turns
from tests.service import Service

REQUESTS = 200


async def test_every_answer_is_right_and_every_turn_is_there_once(
    service: Service, operator: Operator, database: Database, stub_provider: StubProvider
) -> None:
    other = await operator.organization("umbrella")
    tokens = {service.org_id: service.token, other: await operator.token(other)}

    async def ask(client: AsyncClient, number: int, org_id: UUID) -> tuple[str, UUID, int]:
        model, stream = f"model-{number}", number % 3 == 0
        response = await client.post(
            CHAT,
            json=chat(model, stream=stream),
            headers={
                "Authorization": f"Bearer {tokens[org_id]}",
                "X-IBEX-Session-ID": f"session-{number % 10}",
            },
        )
        assert response.status_code == 200, response.text
        expected = (
            b"".join(payloads.stream_events(model)) if stream else payloads.encode(payloads.completion(model))
        )
        assert response.content == expected
        return response.headers["x-request-id"], org_id, number

    async with service.http() as client:
        asked = await asyncio.gather(
            *(ask(client, number, (service.org_id, other)[number % 2]) for number in range(REQUESTS))
        )
    rows = {str(row["id"]): row for row in await turns(database, REQUESTS)}
    assert len(rows) == len({request_id for request_id, _, _ in asked}) == REQUESTS
    for request_id, org_id, number in asked:
        row = rows[request_id]
        assert (row["org_id"], row["model"]) == (org_id, f"model-{number}")
        assert (row["session_id"], row["outcome"]) == (f"session-{number % 10}", "ok")
    assert len(stub_provider.requests) == REQUESTS
    counted = Counter({row["org_id"]: 0 for row in rows.values()})
    for session in await sessions(database):
        counted[session["org_id"]] += session["turns"]
    assert counted == {service.org_id: REQUESTS // 2, other: REQUESTS // 2}
    assert len(await sessions(database)) == 10
