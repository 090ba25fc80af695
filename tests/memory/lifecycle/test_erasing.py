"""What was deleted for good is nowhere, and a certificate says so."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg

from ibex.memory.memory import Scope
from ibex.memory.searching import MemorySearch, SearchQuery
from tests.fixtures import Database
from tests.memory.rest import found, remembered
from tests.operator import Operator
from tests.rest.api import Api
from tests.security.redis_content import everything_in_redis
from tests.service import Service


async def erase(api: Api, memory_id: str) -> dict[str, Any]:
    """The certificate."""
    answer = await api.call("DELETE", f"/memories/{memory_id}", params={"hard": True})
    assert answer.status_code == 200, answer.text
    certificate: dict[str, Any] = answer.json()["data"]
    return certificate


async def related(api: Api, *lines: dict[str, Any]) -> None:
    """Import lines, all of which are welcome."""
    answer = await api.client.post(
        "/v1/memories/import",
        content=b"\n".join(map(orjson.dumps, lines)),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.json()["data"]["refused"] == 0, answer.text


def tables_with(database: Database, text: str) -> list[str]:
    """The tables in which some row has a text in it."""
    with psycopg.connect(database.superuser_dsn) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'ibex'").fetchall()
        return [
            table
            for (table,) in tables
            if connection.execute(
                f'SELECT FROM ibex."{table}" AS t WHERE t::text ILIKE %s LIMIT 1', (f"%{text}%",)
            ).fetchall()
        ]


async def test_it_leaves_nothing_but_the_certificate(api: Api, database: Database) -> None:
    memory = await remembered(
        api,
        "The canary sings at dawn.",
        tags=["canary"],
        labels=["canary"],
        metadata={"canary": ["canary"]},
        speaker="canary",
        role="canary",
        trace_id="canary",
        session_id="canary",
    )
    await api.change(f"/memories/{memory['id']}", {"content": "The canary sings at dusk."})
    await api.do(f"/memories/{memory['id']}/feedback", {"signal": "helpful", "source": "canary"})
    assert await found(api, "when does the canary sing?") == ["The canary sings at dusk."]
    assert "memories" in tables_with(database, "canar")
    assert "canary" in str(everything_in_redis(database.redis_url))
    before = datetime.now(UTC)

    certificate = await erase(api, memory["id"])

    assert (certificate["memory_id"], certificate["memory_ids"]) == (memory["id"], [memory["id"]])
    assert datetime.fromisoformat(certificate["at"]) >= before
    assert certificate["erased"] == {
        "memories": 1,
        "versions": 2,
        "vectors": 0,
        "labels": 1,
        "claims": certificate["erased"]["claims"],
        "feedback": 1,
        "relations": 0,
        "conflicts": 0,
    }
    assert await found(api, "when does the canary sing?") == []
    for path in ("", "/history"):
        assert await api.refusal("GET", f"/memories/{memory['id']}{path}") == (403, "ACCESS_DENIED")
    gone = await api.refusal("DELETE", f"/memories/{memory['id']}", params={"hard": True})
    assert gone == (403, "ACCESS_DENIED")
    # The stem too, by which it was found.
    assert tables_with(database, "canar") == []
    assert "canar" not in str(everything_in_redis(database.redis_url))
    assert tables_with(database, memory["id"]) == ["audit_events", "memory_erasures"]
    assert await remembered(api, "The canary sings at dusk.")


async def test_other_processes_forget_it_at_their_next_search(
    api: Api, service: Service, operator: Operator
) -> None:
    scope = Scope(service.org_id, (await operator.agent(service.org_id)).id)
    elsewhere = MemorySearch(operator.postgres, None)
    memory = await remembered(api, "The canary sings at dawn.")
    await remembered(api, "Lunch is at noon.")
    question = SearchQuery("canary lunch")
    assert len((await elsewhere.search(scope, question)).results) == 2

    await erase(api, memory["id"])

    (left,) = (await elsewhere.search(scope, question)).results
    assert left.memory.content == "Lunch is at noon."
    kept = [
        record.text
        for partition in elsewhere._indexes._cache._partitions.values()
        for record in partition.index.records
        if record is not None
    ]
    assert kept == ["Lunch is at noon."]


async def test_what_derives_from_it_and_what_was_merged_into_it_goes_with_it(
    api: Api, database: Database
) -> None:
    source = await remembered(api, "The canary sings at dawn.", user_id="ada")
    ids = [UUID(int=number + (7 << 76) + (2 << 62)) for number in range(3)]
    fact, opinion, same = map(str, ids)
    await related(
        api,
        {"id": fact, "content": "Canaries rise early.", "user_id": "ada"},
        {"id": opinion, "content": "Canaries are a nuisance.", "user_id": "ada"},
        {"id": same, "content": "At dawn the canary sings.", "user_id": "ada", "status": "merged"},
        {"content": "Lunch is at noon.", "user_id": "ada"},
        {"type": "relation", "memory_id": fact, "kind": "derives_from", "other_id": source["id"]},
        {"type": "relation", "memory_id": opinion, "kind": "derives_from", "other_id": fact},
        {"type": "relation", "memory_id": source["id"], "kind": "merges", "other_id": same},
    )

    certificate = await erase(api, source["id"])

    assert certificate["memory_ids"][0] == source["id"]
    assert set(certificate["memory_ids"]) == {source["id"], fact, opinion, same}
    assert certificate["erased"]["memories"] == 4
    assert tables_with(database, "canar") == []
    assert [each["content"] for each in await api.get("/memories", status="any")] == ["Lunch is at noon."]


async def test_the_middle_of_a_chain_leaves_a_chain(api: Api, database: Database) -> None:
    ids = [
        (await remembered(api, f"Ada lives in {city}.", user_id="ada", observed_at=at))["id"]
        for city, at in (
            ("Lyon", "2026-01-01T00:00:00Z"),
            ("Oslo", "2026-02-01T00:00:00Z"),
            ("Rome", "2026-03-01T00:00:00Z"),
        )
    ]
    await erase(api, ids[1])
    with psycopg.connect(database.superuser_dsn) as connection:
        rows = connection.execute(
            "SELECT memory_id::text, other_id::text FROM ibex.memory_relations WHERE kind = 'supersedes'"
        ).fetchall()
    assert rows == [(ids[2], ids[0])]
