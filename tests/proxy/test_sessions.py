"""A conversation leaves one append-only row per turn."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from psycopg.rows import dict_row

from tests.faults.waiting import until
from tests.providers import payloads
from tests.proxy.asking import CHAT, assert_still_works, chat_bytes
from tests.proxy.conftest import Standing
from tests.proxy.records import all_turns, sessions, turn, turns

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)


async def ask(standing: Standing, body: bytes, **headers: str) -> str:
    """The session that the answer names."""
    names = {f"X-IBEX-{name.title().replace('_', '-')}": value for name, value in headers.items()}
    async with standing.service.http() as client:
        response = await client.post(CHAT, content=body, headers={**JSON, **names})
    assert response.status_code == 200, response.text
    return str(response.headers["x-ibex-session-id"])


async def test_a_session_is_minted_and_then_sticks(standing: Standing) -> None:
    first = await ask(standing, chat_bytes())
    assert first.startswith("ses_")
    assert len(first) <= 64
    assert await ask(standing, chat_bytes(), session_id=first) == first
    assert await ask(standing, chat_bytes()) != first
    assert len(await turns(standing.database, 2, first)) == 2


@pytest.mark.parametrize(
    "session", ["s" * 64, "a/b?c=1;d,e", '"quoted"', "x'; DROP TABLE ibex.sessions; --x"]
)
async def test_any_printable_id_will_do(standing: Standing, session: str) -> None:
    session = session.replace(" ", "_")
    assert await ask(standing, chat_bytes(), session_id=session) == session
    assert (await turn(standing.database, session))["outcome"] == "ok"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_turn_says_what_was_asked_and_answered_without_the_words(
    standing: Standing, stream: bool
) -> None:
    body = chat_bytes("gpt-4o-mini", stream=stream)
    session = await ask(standing, body, user_id="user-7")
    answer = (
        b"".join(payloads.stream_events("gpt-4o-mini"))
        if stream
        else payloads.encode(payloads.completion("gpt-4o-mini"))
    )
    row = await turn(standing.database, session)
    service = standing.service
    assert (row["org_id"], row["operation"], row["provider"]) == (
        service.org_id,
        "chat_completions",
        "openai",
    )
    assert (row["model"], row["model_served"], row["streamed"]) == ("gpt-4o-mini", "gpt-4o-mini", stream)
    assert (row["status"], row["outcome"], row["error_code"], row["attempts"]) == (200, "ok", None, 1)
    assert (row["finish_reason"], row["user_id"]) == ("stop", "user-7")
    assert (row["request_bytes"], row["response_bytes"]) == (len(body), len(answer))
    assert bytes(row["request_sha256"]) == sha256(body).digest()
    assert bytes(row["response_sha256"]) == sha256(answer).digest()
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == (57, 0, 113)
    assert row["usage_source"] == "provider"
    assert 0 < row["overhead_ms"] <= row["first_byte_ms"] <= row["latency_ms"] < 10_000
    assert "hello" not in str(row)
    assert payloads.ANSWER not in str(row)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_trace_says_more_of_a_call_than_its_turn(standing: Standing, stream: bool) -> None:
    session = await ask(standing, chat_bytes("gpt-4o-mini", stream=stream))
    row = await turn(standing.database, session)

    async def stored() -> list[dict[str, Any]]:
        postgres = standing.operator.postgres
        return await postgres.fetch_all(
            row["org_id"], "SELECT * FROM ibex.traces WHERE id = %s", (row["id"],), row=dict_row
        )

    async def is_stored() -> bool:
        return bool(await stored())

    await until(is_stored)
    [told] = await stored()
    # The stream has 47 pieces of eight characters.
    written = 47 * 8 if stream else len(payloads.ANSWER)
    assert (told["answer_chars"], told["tools"], told["refused"]) == (written, [], False)
    assert (told["provider_fingerprint"], told["rung"]) == ("fp_stub", "complete")
    # 57 tokens at 0.15 and 113 at 0.60 dollars a million.
    assert told["cost_nano_usd"] == 57 * 150 + 113 * 600
    assert {"auth", "context", "provider"} <= told["steps"].keys()
    assert payloads.ANSWER not in str(told)


async def test_the_user_of_the_body_counts_when_no_header_names_one(standing: Standing) -> None:
    session = await ask(standing, chat_bytes(user="from-the-body"))
    assert (await turn(standing.database, session))["user_id"] == "from-the-body"
    session = await ask(standing, chat_bytes(user="from-the-body"), user_id="from-the-header")
    assert (await turn(standing.database, session))["user_id"] == "from-the-header"
    session = await ask(standing, chat_bytes(user=7))
    assert (await turn(standing.database, session))["user_id"] is None


async def test_a_session_counts_its_turns(standing: Standing) -> None:
    for number in range(5):
        await ask(standing, chat_bytes(), session_id="counted", user_id=f"user-{number}")
    rows = await turns(standing.database, 5, "counted")
    [session] = [row for row in await sessions(standing.database) if row["id"] == "counted"]
    assert (session["turns"], session["status"], session["agent"]) == (5, "active", "helper")
    assert session["user_id"] == "user-4"
    assert (session["started_at"], session["last_turn_at"]) == (rows[0]["at"], rows[-1]["at"])


async def test_two_agents_with_the_same_id_have_two_sessions(standing: Standing) -> None:
    org_id = standing.service.org_id
    await standing.operator.create_agent(org_id, "Second", "second")
    token = await standing.operator.token(org_id, agent="second")
    await ask(standing, chat_bytes(), session_id="shared")
    async with standing.service.http() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        await client.post(CHAT, content=chat_bytes(), headers={**JSON, "X-IBEX-Session-ID": "shared"})
    await turns(standing.database, 2, "shared")
    shared = [row for row in await sessions(standing.database) if row["id"] == "shared"]
    assert sorted((row["agent"], row["turns"]) for row in shared) == [("helper", 1), ("second", 1)]


async def test_an_agent_may_be_named_by_a_token_that_is_bound_to_none(standing: Standing) -> None:
    token = await standing.operator.token(standing.service.org_id, agent=None)
    async with standing.service.http() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        response = await client.post(CHAT, content=chat_bytes(), headers=JSON)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "MISSING_AGENT_ID")
        named = {**JSON, "X-IBEX-Agent-ID": "helper", "X-IBEX-Session-ID": "named"}
        assert (await client.post(CHAT, content=chat_bytes(), headers=named)).status_code == 200
    assert (await turn(standing.database, "named"))["outcome"] == "ok"


async def test_embeddings_have_no_session(standing: Standing) -> None:
    async with standing.service.http() as client:
        response = await client.post(
            "/v1/embeddings", json={"model": "e", "input": "x"}, headers={"X-IBEX-Session-ID": "embedded"}
        )
        assert response.status_code == 200
        assert "x-ibex-session-id" not in response.headers
    await ask(standing, chat_bytes(), session_id="after-it")
    await turn(standing.database, "after-it")
    assert await all_turns(standing.database, "embedded") == []
    told = [row for row in await all_turns(standing.database) if row["operation"] == "embeddings"]
    assert [(row["session_id"], row["model"]) for row in told] == [(None, "e")]


async def test_what_was_refused_before_its_session_leaves_no_turn(standing: Standing) -> None:
    async with standing.service.http() as client:
        for body, token in ((b"{}", standing.service.token), (chat_bytes(), "ibex_pat_wrong")):
            client.headers["Authorization"] = f"Bearer {token}"
            response = await client.post(CHAT, content=body, headers={**JSON, "X-IBEX-Session-ID": "refused"})
            assert response.status_code in (400, 401)
    await ask(standing, chat_bytes(), session_id="after-them")
    await turn(standing.database, "after-them")
    assert await all_turns(standing.database, "refused") == []


async def test_a_model_nobody_serves_is_a_turn_that_failed(standing: Standing) -> None:
    async with standing.service.http() as client:
        headers = {**JSON, "X-IBEX-Session-ID": "unknown-model"}
        body = chat_bytes("status-404")
        assert (await client.post(CHAT, content=body, headers=headers)).status_code == 404
    row = await turn(standing.database, "unknown-model")
    assert (row["status"], row["outcome"], row["model"]) == (404, "failed", "status-404")
    assert (row["usage_source"], row["response_bytes"]) == ("none", 0)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ibex.session_turns SET outcome = 'ok'",
        "DELETE FROM ibex.session_turns",
        "TRUNCATE ibex.session_turns",
    ],
)
async def test_turns_cannot_be_changed_by_anybody(standing: Standing, change: str) -> None:
    await turn(standing.database, await ask(standing, chat_bytes()))
    for dsn in (standing.database.superuser_dsn, standing.database.owner_dsn, standing.database.service_dsn):
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            with pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)):
                await connection.execute(change.encode())
