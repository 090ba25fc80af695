"""A call that a stop of the server cuts off is recorded as that, not as its client's leaving."""

import pytest

from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.proxy.asking import chat_bytes
from tests.proxy.conftest import UNLIMITED
from tests.proxy.records import turn
from tests.proxy.wire import connect, post
from tests.service import Service


@pytest.mark.parametrize(
    ("model", "stream", "status"), [("slow-headers", False, 500), ("hang-mid-stream", True, 200)]
)
async def test_a_stop_is_not_the_clients_leaving(
    database: Database, operator: Operator, stub_provider: StubProvider, model: str, stream: bool, status: int
) -> None:
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, **UNLIMITED
    ) as service:
        async with connect(service) as wire:
            await wire.send(post(service, chat_bytes(model, stream=stream), "X-IBEX-Session-ID: cut"))
            await stub_provider.exchange()
            if stream:
                await wire.head()
            for task in list(service.server.server_state.tasks):
                task.cancel()
            row = await turn(database, "cut")
        assert (row["outcome"], row["status"], row["error_code"]) == ("cancelled", status, None)
        assert service.instruments.clients_gone.total() == 0
