"""An agent that is paused: its tokens are refused wherever they are shown, and nobody else's are."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ibex.auth import ALL
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.proxy.conftest import UNLIMITED
from tests.rest.api import Api
from tests.service import Service

# The proxy asks for the agent, the management interface for none.
PATHS = pytest.mark.parametrize("path", ["/models", "/agents"])
SUSPENDED = (403, "AGENT_SUSPENDED")
# The promise: every process refuses within a second.
SOON = 1.0


@pytest_asyncio.fixture
async def service(database: Database, operator: Operator) -> AsyncIterator[Service]:
    async with Service.start(
        database.service_dsn, database.redis_url, operator, None, **UNLIMITED
    ) as running:
        yield running


@pytest_asyncio.fixture
async def admin(service: Service, operator: Operator) -> AsyncIterator[Api]:
    async with Api(service, await operator.token(service.org_id, ALL, None)) as api:
        yield api


async def is_admitted(api: Api, path: str) -> bool:
    return (await api.call("GET", path)).status_code == 200


async def is_suspended(api: Api, path: str) -> bool:
    answer = await api.call("GET", path)
    return answer.status_code == 403 and answer.json()["error"]["code"] == "AGENT_SUSPENDED"


@PATHS
async def test_a_token_of_a_paused_agent_is_refused_within_a_second_until_it_is_resumed(
    service: Service, admin: Api, path: str
) -> None:
    async with Api(service, service.token) as bound:
        assert await is_admitted(bound, path)
        await admin.do("/agents/helper/pause")
        await until(lambda: is_suspended(bound, path), seconds=SOON)
        await admin.do("/agents/helper/resume")
        await until(lambda: is_admitted(bound, path), seconds=SOON)


async def test_a_paused_agent_cannot_resume_itself(service: Service, admin: Api, operator: Operator) -> None:
    async with Api(service, await operator.token(service.org_id, ALL)) as bound:
        await bound.do("/agents/helper/pause")
        await until(lambda: is_suspended(bound, "/agents"), seconds=SOON)
        assert await bound.refusal("POST", "/agents/helper/resume") == SUSPENDED
    assert (await admin.get("/agents/helper"))["status"] == "paused"


async def test_whoever_is_bound_to_no_agent_goes_on(service: Service, admin: Api, operator: Operator) -> None:
    await operator.create_agent(service.org_id, "Other", "other")
    await admin.do("/agents/helper/pause")
    paused, other = ({"X-IBEX-Agent-ID": slug} for slug in ("helper", "other"))
    assert await admin.refusal("GET", "/models", headers=paused) == SUSPENDED
    assert (await admin.call("GET", "/models", headers=other)).status_code == 200
    assert await is_admitted(admin, "/agents")
