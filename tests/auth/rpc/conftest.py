from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.auth.rpc.calling import Caller, calling, service_token
from tests.end_to_end.instance import free_port
from tests.fixtures import Database
from tests.operator import Operator
from tests.service import Service


@pytest.fixture
def port() -> int:
    """Where the service listens for gRPC."""
    return free_port()


@pytest_asyncio.fixture
async def service(database: Database, operator: Operator, port: int) -> AsyncIterator[Service]:
    """A service that serves gRPC too, and is patient with a busy machine."""
    async with Service.start(
        database.service_dsn,
        database.redis_url,
        operator,
        None,
        grpc_port=port,
    ) as running:
        yield running


@pytest_asyncio.fixture
async def caller(service: Service, operator: Operator, port: int) -> AsyncIterator[Caller]:
    """Somebody with a service token."""
    async with calling(port, await service_token(operator, service.org_id)) as someone:
        yield someone
