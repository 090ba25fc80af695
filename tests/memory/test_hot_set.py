"""The hot set shows what matters most, never what is gone, and its absence is nothing to worry about."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio

from ibex.memory.hot_set import SIZE, HotSet
from ibex.memory.memory import Scope
from ibex.memory.repository import hot_rows
from ibex.memory.repository.hot_rows import PartitionVersion
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.searching import MemorySearch, SearchQuery
from ibex.storage import Postgres, connect_single
from tests.memory.rest import remembered
from tests.memory.searching.changing import change, erase
from tests.memory.searching.storing import Stored, store
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service


@pytest_asyncio.fixture
async def scope(operator: Operator) -> Scope:
    org_id = await operator.organization()
    return Scope(org_id, (await operator.agent(org_id)).id, "ada")


@pytest.fixture
def hot_set(operator: Operator) -> HotSet:
    return HotSet(operator.postgres, operator.redis, within=5.0)


@pytest_asyncio.fixture
async def without_redis(operator: Operator) -> AsyncIterator[HotSet]:
    """A hot set whose Redis refuses connections."""
    nowhere = connect_single("redis://127.0.0.1:1/0", timeout=0.05)
    yield HotSet(operator.postgres, nowhere)
    await nowhere.aclose()


def key_of(scope: Scope) -> PartitionKey:
    return PartitionKey(scope.org_id, scope.agent_id, scope.user_id)


async def texts(hot_set: HotSet, scope: Scope) -> list[str]:
    return [memory.content for memory in (await hot_set.of(scope)).memories]


async def command(operator: Operator, *words: str | bytes) -> Any:
    running: Any = operator.redis.execute_command(*words)  # type: ignore[no-untyped-call]
    return await running


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


async def test_pinned_memories_lead_and_newer_ones_come_first(
    operator: Operator, scope: Scope, hot_set: HotSet
) -> None:
    await store(
        operator.postgres,
        scope.org_id,
        Stored("old", scope.agent_id, "ada", observed_at=ago(300)),
        Stored("new", scope.agent_id, "ada", observed_at=ago(1)),
        Stored("pinned", scope.agent_id, "ada", observed_at=ago(900), pinned=True),
    )
    await hot_set.changed(key_of(scope))
    assert await texts(hot_set, scope) == ["pinned", "new", "old"]


async def test_it_holds_the_best_of_all_partitions_of_the_scope(
    operator: Operator, scope: Scope, hot_set: HotSet
) -> None:
    other = await operator.create_agent(scope.org_id, "Other", "other")
    await store(
        operator.postgres,
        scope.org_id,
        *(Stored(f"hers {n}", scope.agent_id, "ada", observed_at=ago(n)) for n in range(SIZE)),
        Stored("shared", other.id, None, visibility="org", observed_at=ago(0.5)),
        Stored("of bob", scope.agent_id, "bob", observed_at=ago(0)),
        Stored("of the other agent", other.id, "ada", observed_at=ago(0)),
    )
    for agent_id in (scope.agent_id, other.id, None):
        for user_id in ("ada", "bob", None):
            await hot_set.changed(PartitionKey(scope.org_id, agent_id, user_id))
    found = await texts(hot_set, scope)
    assert found[:3] == ["hers 0", "shared", "hers 1"]
    assert len(found) == SIZE
    assert not {"of bob", "of the other agent"} & set(found)


async def test_private_memories_of_a_session_are_left_out(
    operator: Operator, scope: Scope, hot_set: HotSet
) -> None:
    private = Stored("secret", scope.agent_id, "ada", session_id="s", visibility="session", pinned=True)
    await store(operator.postgres, scope.org_id, private)
    await hot_set.changed(key_of(scope))
    assert await texts(hot_set, Scope(scope.org_id, scope.agent_id, "ada", "s")) == []


@pytest.mark.parametrize("gone", ["superseded", "deleted", "archived", "quarantined"])
async def test_what_is_no_longer_live_leaves_it(
    operator: Operator, scope: Scope, hot_set: HotSet, gone: str
) -> None:
    memory = Stored("here", scope.agent_id, "ada")
    await store(operator.postgres, scope.org_id, memory)
    await hot_set.changed(key_of(scope))
    await change(operator.postgres, scope, memory.id, f"status = '{gone}'")
    await hot_set.changed(key_of(scope))
    assert await texts(hot_set, scope) == []


async def test_what_is_erased_leaves_redis(operator: Operator, scope: Scope, hot_set: HotSet) -> None:
    memory = Stored("canary", scope.agent_id, "ada")
    await store(operator.postgres, scope.org_id, memory)
    await hot_set.changed(key_of(scope))
    await erase(operator.postgres, scope, memory.id)
    await hot_set.changed(key_of(scope))
    for name in await operator.redis.keys("*memory*"):
        assert b"canary" not in await command(operator, "HGET", name, "memories")


async def test_an_earlier_state_does_not_take_the_place_of_a_later_one(
    operator: Operator, scope: Scope, hot_set: HotSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(operator.postgres, scope.org_id, Stored("first", scope.agent_id, "ada"))
    earlier = await hot_rows.version_of(operator.postgres, key_of(scope))
    rows = await hot_rows.hot_rows(operator.postgres, key_of(scope))
    await store(operator.postgres, scope.org_id, Stored("second", scope.agent_id, "ada"))
    await hot_set.changed(key_of(scope))

    async def late_version(postgres: Postgres, key: PartitionKey) -> PartitionVersion | None:
        return earlier

    async def late_rows(postgres: Postgres, key: PartitionKey) -> list[hot_rows.HotRow]:
        return rows

    monkeypatch.setattr(hot_rows, "version_of", late_version)
    monkeypatch.setattr(hot_rows, "hot_rows", late_rows)
    await hot_set.changed(key_of(scope))
    assert set(await texts(hot_set, scope)) == {"first", "second"}


async def test_it_tells_which_revision_it_shows(operator: Operator, scope: Scope, hot_set: HotSet) -> None:
    await store(operator.postgres, scope.org_id, Stored("first", scope.agent_id, "ada"))
    await hot_set.changed(key_of(scope))
    await store(operator.postgres, scope.org_id, Stored("second", scope.agent_id, "ada"))
    shown = (await hot_set.remembered(scope)).shows
    assert shown == {key_of(scope): PartitionVersion(epoch=0, revision=1)}
    assert await hot_rows.version_of(operator.postgres, key_of(scope)) == PartitionVersion(0, 2)


async def test_a_crash_between_commit_and_cache_is_found_out_by_the_next_read(
    operator: Operator, scope: Scope, hot_set: HotSet
) -> None:
    memory = Stored("canary", scope.agent_id, "ada")
    await store(operator.postgres, scope.org_id, memory)
    await hot_set.changed(key_of(scope))
    # The process dies after this commit.
    await store(operator.postgres, scope.org_id, Stored("second", scope.agent_id, "ada"))
    assert set(await texts(hot_set, scope)) == {"canary", "second"}
    # And so does the one that erases.
    await erase(operator.postgres, scope, memory.id)
    assert await texts(hot_set, scope) == ["second"]
    assert [row.content for row in (await hot_set.remembered(scope)).memories] == ["second"]


async def test_without_an_entry_it_is_made_at_the_first_read(
    operator: Operator, scope: Scope, hot_set: HotSet
) -> None:
    await store(operator.postgres, scope.org_id, Stored("first", scope.agent_id, "ada"))
    assert (await hot_set.remembered(scope)).shows == {}
    assert await texts(hot_set, scope) == ["first"]
    assert (await hot_set.remembered(scope)).shows == (await hot_set.of(scope)).shows != {}


async def test_what_holds_no_longer_or_not_yet_is_left_out(
    operator: Operator, scope: Scope, hot_set: HotSet
) -> None:
    await store(
        operator.postgres,
        scope.org_id,
        Stored("always", scope.agent_id, "ada"),
        Stored("over", scope.agent_id, "ada", valid_until=ago(1), pinned=True),
        Stored("until tomorrow", scope.agent_id, "ada", valid_until=ago(-1)),
        Stored("from the day after", scope.agent_id, "ada", valid_from=ago(-2)),
    )
    await hot_set.changed(key_of(scope))
    assert set(await texts(hot_set, scope)) == {"always", "until tomorrow"}
    later = HotSet(operator.postgres, operator.redis, within=5.0, now=lambda: ago(-3))
    assert set(await texts(later, scope)) == {"always", "from the day after"}


async def test_a_crash_before_the_cache_leaves_search_right(
    operator: Operator, scope: Scope, hot_set: HotSet
) -> None:
    search = MemorySearch(operator.postgres, None)
    await store(operator.postgres, scope.org_id, Stored("a cello", scope.agent_id, "ada"))
    await search.search(scope, SearchQuery("cello"))
    await hot_set.changed(key_of(scope))
    await store(operator.postgres, scope.org_id, Stored("another cello", scope.agent_id, "ada"))
    assert len((await search.search(scope, SearchQuery("cello"))).results) == 2


async def test_without_redis_nothing_is_raised_and_postgres_answers(
    operator: Operator, scope: Scope, without_redis: HotSet, caplog: pytest.LogCaptureFixture
) -> None:
    await store(operator.postgres, scope.org_id, Stored("canary", scope.agent_id, "ada"))
    await without_redis.changed(key_of(scope))
    assert (await without_redis.remembered(scope)).shows == {}
    assert await texts(without_redis, scope) == ["canary"]
    assert "not brought up to date" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("broken", [b"", b"[1]", b"{", b'[{"id": "x"}]'])
async def test_an_entry_that_cannot_be_read_counts_as_none(
    operator: Operator, scope: Scope, hot_set: HotSet, broken: bytes
) -> None:
    await store(operator.postgres, scope.org_id, Stored("first", scope.agent_id, "ada"))
    await hot_set.changed(key_of(scope))
    (name,) = await operator.redis.keys("*memory*")
    await command(operator, "HSET", name, "memories", broken)
    assert (await hot_set.remembered(scope)).shows == {}
    assert await texts(hot_set, scope) == ["first"]


async def test_keys_stay_with_their_organization_and_expire(
    operator: Operator, scope: Scope, hot_set: HotSet
) -> None:
    await store(operator.postgres, scope.org_id, Stored("first", scope.agent_id, "ada"))
    await hot_set.changed(key_of(scope))
    (name,) = await operator.redis.keys("*")
    assert name.decode().startswith(f"ibex:{{{scope.org_id}}}:memory:hot:{scope.agent_id}:")
    assert 0 < await operator.redis.pttl(name) <= 900_000


async def test_a_partition_that_is_not_there_has_no_entry(operator: Operator, hot_set: HotSet) -> None:
    org_id = await operator.organization()
    await hot_set.changed(PartitionKey(org_id, UUID(int=1), None))
    assert await operator.redis.keys("*") == []


class TestAfterEachChangeOverHttp:
    """Nobody has read it in between: what Redis has is right as soon as the change is answered."""

    @pytest_asyncio.fixture
    async def of_ada(self, service: Service, operator: Operator) -> Scope:
        return Scope(service.org_id, (await operator.agent(service.org_id)).id, "ada")

    async def shown(self, hot_set: HotSet, scope: Scope) -> list[str]:
        remembered = await hot_set.remembered(scope)
        assert remembered.shows == (await hot_set.of(scope)).shows
        return [memory.content for memory in remembered.memories]

    async def test_write_correct_and_pin(self, api: Api, hot_set: HotSet, of_ada: Scope) -> None:
        first = await remembered(api, "The meeting is on Monday.", user_id="ada")
        assert await self.shown(hot_set, of_ada) == ["The meeting is on Monday."]
        await remembered(api, "Lunch is at noon.", user_id="ada")
        await api.change(f"/memories/{first['id']}", {"content": "The meeting is on Tuesday."})
        assert await self.shown(hot_set, of_ada) == ["Lunch is at noon.", "The meeting is on Tuesday."]
        await api.do(f"/memories/{first['id']}/pin")
        assert await self.shown(hot_set, of_ada) == ["The meeting is on Tuesday.", "Lunch is at noon."]

    async def test_supersede_delete_and_restore(self, api: Api, hot_set: HotSet, of_ada: Scope) -> None:
        await remembered(api, "Ada lives in Lyon.", user_id="ada", observed_at="2026-01-01T00:00:00Z")
        oslo = await remembered(api, "Ada lives in Oslo.", user_id="ada", observed_at="2026-02-01T00:00:00Z")
        assert await self.shown(hot_set, of_ada) == ["Ada lives in Oslo."]
        await api.delete(f"/memories/{oslo['id']}")
        assert await self.shown(hot_set, of_ada) == []
        await api.do(f"/memories/{oslo['id']}/restore")
        assert await self.shown(hot_set, of_ada) == ["Ada lives in Oslo."]
        await api.do(f"/memories/{oslo['id']}/archive")
        assert await self.shown(hot_set, of_ada) == []

    async def test_feedback_import_and_erasure(self, api: Api, hot_set: HotSet, of_ada: Scope) -> None:
        lines = b"".join(
            orjson.dumps(
                {"content": text, "user_id": "ada", "observed_at": ago(1)}, option=orjson.OPT_APPEND_NEWLINE
            )
            for text in ("Lunch is at noon.", "Tea is at four.")
        )
        answer = await api.client.post(
            "/v1/memories/import", content=lines, headers={"Content-Type": "application/x-ndjson"}
        )
        assert answer.json()["data"]["imported"] == 2
        assert set(await self.shown(hot_set, of_ada)) == {"Lunch is at noon.", "Tea is at four."}
        tea = next(each for each in await api.get("/memories") if each["content"] == "Tea is at four.")
        await api.do(f"/memories/{tea['id']}/feedback", {"signal": "helpful"})
        assert (await self.shown(hot_set, of_ada))[0] == "Tea is at four."
        assert (await api.call("DELETE", f"/memories/{tea['id']}?hard=true")).status_code == 200
        assert await self.shown(hot_set, of_ada) == ["Lunch is at noon."]

    async def test_it_never_shows_another_end_users(self, api: Api, hot_set: HotSet, of_ada: Scope) -> None:
        await remembered(api, "Ada prefers tea.", user_id="ada")
        await remembered(api, "The office closes at six.")
        await remembered(api, "This is between us.", user_id="bob", session_id="s", visibility="session")
        of_bob = replace(of_ada, user_id="bob", session_id="s")
        assert await self.shown(hot_set, of_bob) == ["The office closes at six."]
        assert await self.shown(hot_set, replace(of_ada, user_id=None)) == ["The office closes at six."]
