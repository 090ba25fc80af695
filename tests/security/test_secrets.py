"""What was said and what must stay secret is in no log, metric, span, record or error."""

import base64
import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict

from ibex.auth import CHAT, Permission
from ibex.auth.tokens.secret import generate, parse, secret_hash
from ibex.telemetry.logs import configure
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import MASTER_KEY, PEPPER, Operator
from tests.providers.payloads import ANSWER
from tests.providers.stub import StubProvider
from tests.security.redis_content import everything_in_redis
from tests.service import API_KEY, Service
from tests.telemetry.collector import Collector

PROMPT = "canary-of-the-prompt"
USER = "canary-of-the-user"
IN_A_HEADER = "canary-of-a-header"
IN_A_BODY = "canary-of-a-broken-body"
OWN_KEY = "sk-of-the-organization-0123456789"
BROUGHT_KEY = "0123456789-brought-by-the-caller"
FOREIGN = generate(UUID(int=5)).text(b"another installation's")


@pytest.fixture
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector.running() as running:
        yield running


def forms_of(secret: str) -> list[str]:
    """As it is, and as it looks once it has been put into base64 or hexadecimal."""
    data = secret.encode()
    return [secret, base64.b64encode(data).decode().rstrip("=")[:-2], data.hex()]


async def talk(service: Service) -> list[httpx2.Response]:
    """Requests that go well, go wrong, and are refused, each with something that must not be told."""
    chat: dict[str, Any] = {"messages": [{"role": "user", "content": PROMPT}], "user": USER}
    headers = {"X-IBEX-User-ID": USER, "X-Something": IN_A_HEADER}
    answers = []
    async with service.http() as client:

        async def post(path: str = "/v1/chat/completions", **options: Any) -> None:
            options["headers"] = {**headers, **options.get("headers", {})}
            answers.append(await client.post(path, **options))

        await post(json={**chat, "model": "gpt-4o-mini"})
        await post(json={**chat, "model": "gpt-4o-mini", "stream": True})
        for model in ("status-401", "status-429", "invalid-json", "html", "break-mid-line", "truncated"):
            await post(json={**chat, "model": model})
            await post(json={**chat, "model": model, "stream": True})
        await post(path="/v1/embeddings", json={"model": "m", "input": PROMPT})
        await post(content=f'{{"model": "{IN_A_BODY}', headers={"Content-Type": "application/json"})
        await post(json={**chat, "model": "gpt-4o-mini", "messages": [PROMPT]})
        await post(json={**chat, "model": "gpt-4o-mini"}, headers={"Authorization": f"Bearer {FOREIGN}"})
        await post(json={**chat, "model": "gpt-4o-mini"}, headers={"Authorization": f"Bearer {FOREIGN}x"})
        await post(json={**chat, "model": "gpt-4o-mini"}, headers={"X-IBEX-Session-ID": IN_A_HEADER * 4})
    return answers


async def use_keys(service: Service, manager: str) -> list[httpx2.Response]:
    """Provider keys are set, brought, used, refused by the provider and refused by us."""
    path, chat = "/v1/provider-credentials", {"messages": [{"role": "user", "content": PROMPT}]}
    as_manager, brought = {"Authorization": f"Bearer {manager}"}, {"X-IBEX-Provider-Key": BROUGHT_KEY}
    answers = []
    async with service.http() as client:
        allowed = {"allows_caller_keys": True}
        answers.append(await client.patch("/v1/organizations/me", json=allowed, headers=as_manager))

        async def brings() -> bool:
            body = {**chat, "model": "gpt-4o-mini"}
            answers.append(await client.post("/v1/chat/completions", json=body, headers=brought))
            return answers[-1].status_code == 200

        await until(brings)

        async def put(provider: str, api_key: Any) -> None:
            body = {"api_key": api_key}
            answers.append(await client.put(f"{path}/{provider}", json=body, headers=as_manager))

        async def post(model: str, **headers: str) -> None:
            body = {**chat, "model": model}
            answers.append(await client.post("/v1/chat/completions", json=body, headers=headers))

        for api_key in (OWN_KEY, f" {OWN_KEY}", {"key": OWN_KEY}):
            await put("openai", api_key)
        await put(OWN_KEY, OWN_KEY)
        for model in ("gpt-4o-mini", "status-401", "status-429", "status-400", "truncated"):
            await post(model)
            await post(model, **brought)
            await post(model, **brought, **{"Idempotency-Key": model})
        await post("gpt-4o-mini", **{"X-IBEX-Provider-Key": f"not a key {BROUGHT_KEY}"})
        answers.append(await client.get(path, headers=as_manager))
    return answers


@pytest.mark.usefixtures("_restored")
async def test_nothing_that_was_said_and_no_secret_is_told(
    database: Database,
    operator: Operator,
    stub_provider: StubProvider,
    collector: Collector,
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure("debug")
    for library in ("httpx2", "httpcore2"):
        logging.getLogger(library).setLevel(logging.WARNING)
    async with Service.start(
        database.service_dsn,
        database.redis_url,
        operator,
        stub_provider,
        otlp_endpoint=collector.url,
        access_log=True,
        log_level="debug",
    ) as service:
        answers = await talk(service)
        manager = await operator.token(service.org_id, Permission.ORGANIZATION_SETTINGS, agent=None)
        answers += await use_keys(service, manager)
        async with service.http() as client:
            metrics = (await client.get("/metrics")).text
            ready = (await client.get("/ready")).text
    output = capfd.readouterr()
    stored = everything_in_redis(database.redis_url)
    kept = {key: value for key, value in stored.items() if ":idempotency:" in key}
    learned = {
        key: value for key, value in stored.items() if ":turns:pending:" in key or ":turn.capture:" in key
    }
    places = {
        "log": output.out,
        "stderr": output.err,
        "metrics": metrics,
        "ready": ready,
        "spans": " ".join(str(span) for span in collector.spans),
        "redis": " ".join(f"{key} {value}" for key, value in stored.items() if key not in kept | learned),
        "answers that are kept": " ".join(f"{key} {value}" for key, value in kept.items()),
        "what is to be remembered": " ".join(f"{key} {value}" for key, value in learned.items()),
    }
    secrets = {
        "token": service.token.rpartition("_")[2],
        "foreign token": FOREIGN.rpartition("_")[2],
        "provider key": API_KEY,
        "key of the organization": OWN_KEY,
        "key of the caller": BROUGHT_KEY,
        "master key": MASTER_KEY,
        "pepper": PEPPER.decode(),
        "database password": str(conninfo_to_dict(database.service_dsn)["password"]),
    }
    content = {"prompt": PROMPT, "completion": ANSWER, "user": USER, "header": IN_A_HEADER, "body": IN_A_BODY}
    assert {
        f"{name} in {place}"
        for place, text in places.items()
        for name, canary in {**secrets, **content}.items()
        for form in forms_of(canary)
        if form in text
    } == {
        "completion in answers that are kept",
        "prompt in what is to be remembered",
        "completion in what is to be remembered",
        "user in what is to be remembered",
    }
    rows = _everything_in_postgres(database)
    told = " ".join(answer.text + str(answer.headers) for answer in answers)
    for name, secret in secrets.items():
        assert not any(form in rows for form in forms_of(secret)), f"{name} in the database"
        assert secret not in told, f"{name} in an answer"
    # Who the user is belongs to a turn; what was said does not.
    for name in ("prompt", "completion", "header", "body"):
        assert content[name] not in rows, f"{name} in the database"
    _assert_every_line_is_json(output.out, answers)


def _assert_every_line_is_json(output: str, answers: list[httpx2.Response]) -> None:
    lines = [json.loads(line) for line in output.splitlines()]
    assert lines
    logged = {line["request_id"] for line in lines if line["logger"] == "ibex.access"}
    assert logged == {answer.headers["x-request-id"] for answer in answers}


def _everything_in_postgres(database: Database) -> str:
    with psycopg.connect(database.superuser_dsn) as connection:
        tables = connection.execute(
            "SELECT format('ibex.%I', tablename) FROM pg_tables WHERE schemaname = 'ibex'"
        ).fetchall()
        return " ".join(
            str(connection.execute(f"SELECT t::text FROM {table} AS t".encode()).fetchall())
            for (table,) in tables
        )


async def test_a_stored_turn_holds_sizes_and_hashes_only(service: Service, database: Database) -> None:
    async with service.http() as client:
        answer = await client.post(
            "/v1/chat/completions",
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": PROMPT}]},
        )
    assert answer.status_code == 200
    await until(lambda: "chat_completions" in _everything_in_postgres(database))
    rows = _everything_in_postgres(database)
    assert PROMPT not in rows
    assert PROMPT.encode().hex() not in rows
    assert ANSWER not in rows


async def test_every_redis_key_of_a_request_belongs_to_its_organization(
    service: Service, database: Database
) -> None:
    async with service.http() as client:
        await client.post(
            "/v1/chat/completions",
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": PROMPT}]},
            headers={"Idempotency-Key": "once"},
        )
    client_of_redis = redis.Redis.from_url(database.redis_url, decode_responses=True)
    keys: Any = client_of_redis.keys("*")
    client_of_redis.close()
    assert keys
    # The stream of traces is one for all: each entry names its organizations, and has no content.
    shared = {key for key in keys if not key.startswith(f"ibex:{{{service.org_id}}}:")}
    assert shared <= {"ibex:processes", "ibex:traces"}
    assert all("once" not in key for key in keys)


async def test_the_permissions_of_a_token_are_not_enough_to_read_its_secret(operator: Operator) -> None:
    org_id = await operator.organization()
    text = await operator.token(org_id, CHAT)
    async with operator.postgres.transaction(org_id) as connection:
        stored = await (await connection.execute("SELECT secret_hash FROM ibex.tokens")).fetchall()
    token = parse(text, PEPPER)
    assert token is not None
    assert stored == [(secret_hash(token, PEPPER),)]
    assert token.secret not in stored[0][0]
