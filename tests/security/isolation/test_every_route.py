"""Each route, with no token, a wrong one, one that lacks a permission, and another tenant's."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from ibex.auth import NO_RIGHT, parse_grant
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.security.catalogue import tenant_tables
from tests.security.isolation.routes import Route, protected, with_ids
from tests.security.isolation.tenant import Tenant, everything_here, without
from tests.security.redis_content import everything_in_redis
from tests.service import Service

Document = dict[str, Any]


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    """In front of a provider for each dialect, so that every path can be answered."""
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, kinds=("openai", "anthropic")
    ) as running:
        yield running


@pytest_asyncio.fixture
async def ada(service: Service, operator: Operator) -> Tenant:
    return await Tenant.create(service, operator, "ada")


@pytest_asyncio.fixture
async def bob(service: Service, operator: Operator) -> Tenant:
    return await Tenant.create(service, operator, "bob")


@pytest_asyncio.fixture
async def routes(service: Service) -> list[Route]:
    async with service.http() as client:
        document: Document = (await client.get("/openapi.json")).json()
    return list(protected(service, document))


@pytest_asyncio.fixture
async def intruder(bob: Tenant) -> AsyncIterator[httpx2.AsyncClient]:
    """Bob, who may do everything in his organization and nothing beyond it."""
    async with bob.http(await bob.issue(everything_here())) as client:
        yield client


async def ask(
    client: httpx2.AsyncClient,
    route: Route,
    ids: dict[str, str],
    *,
    body: Any = None,
    **options: Any,
) -> httpx2.Response:
    if body is None and route.body is not None:
        body = route.body
    if body is not None:
        options["json"] = body
    return await client.request(route.method, route.url(ids), **options)


def told(answer: httpx2.Response) -> dict[str, Any]:
    """An error without what differs between any two."""
    error: dict[str, Any] = answer.json()["error"]
    return {key: value for key, value in error.items() if key not in {"request_id", "timestamp"}}


async def test_the_list_of_routes_is_the_applications_own(service: Service, routes: list[Route]) -> None:
    paths = {route.path for route in routes}
    assert {"/v1/chat/completions", "/v1/messages", "/v1/agents", "/v1/tokens/{token_id}"} <= paths


async def test_nobody_gets_in_without_a_token(ada: Tenant, routes: list[Route]) -> None:
    async with httpx2.AsyncClient(base_url=ada.service.url, timeout=20.0) as client:
        for route in routes:
            answer = await ask(client, route, ada.ids)
            assert (answer.status_code, told(answer)["code"]) == (401, "MISSING_TOKEN"), route
            assert ada.canary not in answer.text


async def test_nobody_gets_in_with_a_mistyped_token(ada: Tenant, routes: list[Route]) -> None:
    async with ada.http(f"{ada.token[:-1]}{'a' if ada.token[-1] != 'a' else 'b'}") as client:
        for route in routes:
            answer = await ask(client, route, ada.ids)
            assert (answer.status_code, told(answer)["code"]) == (401, "INVALID_TOKEN"), route


async def test_each_permission_that_a_route_asks_for_is_needed(
    database: Database, ada: Tenant, routes: list[Route]
) -> None:
    labels = sorted({label for route in routes for label in route.needs})
    assert labels
    for label in labels:
        token = await ada.issue(without(label))
        before = _rows(database, ada)
        async with ada.http(token) as client:
            for route in routes:
                if label in route.needs:
                    answer = await ask(client, route, ada.ids)
                    assert (answer.status_code, told(answer)["code"]) == (
                        403,
                        "INSUFFICIENT_PERMISSIONS",
                    ), f"{route} without {label}"
                    assert label in (told(answer)["detail"] or "")
        assert _rows(database, ada) == before, f"something changed without {label}"


async def test_anothers_resource_reads_as_one_that_does_not_exist(
    database: Database, ada: Tenant, intruder: httpx2.AsyncClient, routes: list[Route]
) -> None:
    before = _rows(database, ada)
    tried = 0
    for route in routes:
        if not set(route.placeholders) & set(ada.ids) - {"provider"}:
            continue
        nowhere = {name: str(uuid4()) for name in ada.ids} | {"provider": ada.ids["provider"]}
        foreign, absent = await ask(intruder, route, ada.ids), await ask(intruder, route, nowhere)
        assert foreign.status_code == absent.status_code == 403, (route, foreign.text, absent.text)
        assert told(foreign) == told(absent), route
        assert ada.canary not in foreign.text
        tried += 1
    assert tried
    assert _rows(database, ada) == before


async def test_anothers_ids_lead_nowhere_in_body_query_and_headers(
    database: Database, ada: Tenant, bob: Tenant, intruder: httpx2.AsyncClient, routes: list[Route]
) -> None:
    """The path is bob's own; everything else names what is ada's."""
    before = _rows(database, ada)
    headers = {"X-IBEX-Agent-ID": ada.ids["agent_id"], "X-Org-ID": str(ada.org_id)}
    for route in routes:
        if route.method == "DELETE":
            continue
        query = {name: ada.ids[name] for name in route.parameters if name in ada.ids}
        answers = [await ask(intruder, route, bob.ids, params=query, headers=headers)]
        if route.body is not None:
            stolen = with_ids(route.body, ada.ids)
            answers.append(await ask(intruder, route, bob.ids, body=stolen))
            if isinstance(route.body, dict):
                smuggled = {**route.body, "org_id": str(ada.org_id)}
                answers.append(await ask(intruder, route, bob.ids, body=smuggled))
        for answer in answers:
            assert answer.status_code < 500, (route, answer.text)
            assert ada.canary not in answer.text, route
    assert _rows(database, ada) == before


async def test_a_token_grants_no_right_over_the_installation(ada: Tenant, routes: list[Route]) -> None:
    platform = [route for route in routes if any(need.startswith("platform:") for need in route.needs)]
    assert platform
    assert everything_here().platform == NO_RIGHT
    async with ada.http(await ada.issue(parse_grant(["all"]))) as client:
        for route in platform:
            assert told(await ask(client, route, ada.ids))["code"] == "INSUFFICIENT_PERMISSIONS", route


async def test_nothing_of_one_tenant_is_under_the_keys_of_another(
    database: Database, ada: Tenant, bob: Tenant, intruder: httpx2.AsyncClient, routes: list[Route]
) -> None:
    async with ada.http() as client:
        for route in routes:
            if route.method == "GET":
                await ask(client, route, ada.ids)
                await ask(intruder, route, ada.ids)
    for key, value in everything_in_redis(database.redis_url).items():
        stored = key + value
        # What a turn teaches waits in the queue of the workers, which is one for all.
        is_adas = key.startswith((f"ibex:{{{ada.org_id}}}:", f"arq:job:turn.capture:{ada.org_id}:"))
        assert is_adas or ada.canary not in stored
        if key.startswith(f"ibex:{{{bob.org_id}}}"):
            assert not any(one in stored for one in ada.ids.values() if len(one) == 36)


def _rows(database: Database, tenant: Tenant) -> dict[str, list[str]]:
    """Everything that a tenant has, but for the audit, which tells of those who tried."""
    with psycopg.connect(database.superuser_dsn) as connection:
        return {
            table: sorted(
                str(row)
                for row in connection.execute(
                    sql.SQL("SELECT t::text FROM {} AS t WHERE {} = %s").format(
                        sql.Identifier("ibex", table),
                        sql.Identifier("id" if table == "organizations" else "org_id"),
                    ),
                    (tenant.org_id,),
                )
            )
            for table in tenant_tables(connection)
            if table not in {"audit_events", "audit_chains"}
        }


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json"])
async def test_what_is_public_tells_of_no_tenant(service: Service, ada: Tenant, path: str) -> None:
    async with httpx2.AsyncClient(base_url=service.url) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert ada.canary not in answer.text
    assert not any(value in answer.text for value in ada.ids.values() if len(value) == 36)
