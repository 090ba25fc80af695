"""Tokens that are limited to networks, asked for over HTTP: directly, and by way of a proxy."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from ibex.auth import CHAT
from ibex.http import parse_networks
from tests.fixtures import Database
from tests.operator import Operator
from tests.service import Service

OFFICE, ELSEWHERE = "203.0.113.7", "198.51.100.7"
# The proxy asks for the agent, the management interface for none.
PATHS = pytest.mark.parametrize("path", ["/v1/models", "/v1/agents"])


@pytest_asyncio.fixture
async def direct(database: Database, operator: Operator) -> AsyncIterator[Service]:
    async with Service.start(database.service_dsn, database.redis_url, operator, None) as running:
        yield running


@pytest_asyncio.fixture
async def behind_a_proxy(database: Database, operator: Operator) -> AsyncIterator[Service]:
    """The test is the proxy."""
    async with Service.start(
        database.service_dsn,
        database.redis_url,
        operator,
        None,
        trusted_proxies="127.0.0.0/8",
    ) as running:
        yield running


async def asked(
    service: Service, operator: Operator, path: str, network: str, *forwarded: str
) -> tuple[int, str | None]:
    """Status and code of a request with a token for this network, and such lines of `X-Forwarded-For`."""
    issued = await operator.issue(service.org_id, CHAT, networks=parse_networks([network]))
    headers = [
        ("Authorization", f"Bearer {issued.text}"),
        *(("X-Forwarded-For", line) for line in forwarded),
    ]
    async with httpx2.AsyncClient(base_url=service.url, timeout=20.0) as client:
        response = await client.get(path, headers=headers)
    return response.status_code, response.json().get("error", {}).get("code")


ALLOWED, REFUSED = (200, None), (403, "NETWORK_NOT_ALLOWED")


@PATHS
async def test_without_a_proxy_the_connection_counts_and_no_header(
    direct: Service, operator: Operator, path: str
) -> None:
    assert await asked(direct, operator, path, "127.0.0.0/8") == ALLOWED
    assert await asked(direct, operator, path, "127.0.0.0/8", ELSEWHERE) == ALLOWED
    assert await asked(direct, operator, path, "203.0.113.0/24") == REFUSED
    assert await asked(direct, operator, path, "203.0.113.0/24", OFFICE) == REFUSED


@PATHS
async def test_behind_a_proxy_what_it_adds_counts_and_nothing_before_it(
    behind_a_proxy: Service, operator: Operator, path: str
) -> None:
    service, office = behind_a_proxy, "203.0.113.0/24"
    assert await asked(service, operator, path, office, OFFICE) == ALLOWED
    assert await asked(service, operator, path, office, f"{ELSEWHERE}, {OFFICE}") == ALLOWED
    assert await asked(service, operator, path, office, f"{OFFICE}, 127.0.0.9") == ALLOWED
    for forged in ((f"{OFFICE}, {ELSEWHERE}",), (OFFICE, ELSEWHERE), (OFFICE, f"{ELSEWHERE}, 127.0.0.9")):
        assert await asked(service, operator, path, office, *forged) == REFUSED
    for unclear in (ELSEWHERE, "unknown", f"{OFFICE}, unknown", ""):
        assert await asked(service, operator, path, office, unclear) == REFUSED


@PATHS
async def test_behind_a_proxy_its_own_network_is_not_that_of_its_clients(
    behind_a_proxy: Service, operator: Operator, path: str
) -> None:
    """Whoever may use a token inside only is not let in because the proxy is inside."""
    assert await asked(behind_a_proxy, operator, path, "127.0.0.0/8", ELSEWHERE) == REFUSED
    assert await asked(behind_a_proxy, operator, path, "127.0.0.0/8", f"127.0.0.5, {ELSEWHERE}") == REFUSED
    assert await asked(behind_a_proxy, operator, path, "127.0.0.0/8", ELSEWHERE, "127.0.0.5") == REFUSED


@pytest.mark.parametrize("address", ["2001:db8::7", "::ffff:203.0.113.7", "[2001:db8::7]:5050"])
async def test_ipv6_behind_a_proxy(behind_a_proxy: Service, operator: Operator, address: str) -> None:
    networks = ["2001:db8::/32", "203.0.113.0/24"]
    expected = [ALLOWED, REFUSED] if "2001" in address else [REFUSED, ALLOWED]
    for network, outcome in zip(networks, expected, strict=True):
        assert await asked(behind_a_proxy, operator, "/v1/models", network, address) == outcome
