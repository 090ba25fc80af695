"""A memory reaches the model in this dialect too, and the built-in one shows it."""

from ibex.auth import ALL
from tests.fixtures import Database
from tests.operator import Operator
from tests.proxy.messages.asking import anthropic
from tests.rest.api import Api
from tests.service import Service


async def test_what_is_remembered_of_an_end_user_is_told_to_the_model(
    database: Database, operator: Operator
) -> None:
    async with Service.start(database.service_dsn, database.redis_url, operator, None) as service:
        token = await operator.token(service.org_id, ALL)
        async with Api(service, token) as api:
            await api.create("/memories", {"content": "Grace plays the cello.", "user_id": "grace"})
        async with anthropic(service, api_key=token) as client:
            told = {}
            for user in ("grace", "ada"):
                answer = await client.messages.create(
                    model="mock",
                    max_tokens=1_000,
                    metadata={"user_id": user},
                    messages=[{"role": "user", "content": "What does Grace play?"}],
                )
                [block] = answer.content
                assert block.type == "text"
                told[user] = block.text
    assert "Grace plays the cello." in told["grace"]
    assert "cello" not in told["ada"]
    for text in told.values():
        assert 'You said: "What does Grace play?"' in text
