"""Writing, finding, reading and deleting memories over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from ibex.auth import Permission
from tests.memory.rest import bulk, found, memories_of, remembered
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service


async def test_what_was_said_is_found_again(api: Api) -> None:
    tea = await remembered(api, "Ada prefers tea to coffee.", user_id="ada", category="preference")
    await remembered(api, "The office closes at six.", user_id="ada")

    answer = await api.do("/memories/search", {"query": "tea or coffee?", "user_id": "ada", "explain": True})

    (first, *_) = answer["results"]
    assert first["memory"]["id"] == tea["id"]
    assert first["memory"]["content"] == "Ada prefers tea to coffee."
    assert (first["rank"], first["source"]) == (1, "words")
    assert first["explain"]["matched_terms"]
    assert "words alone" in answer["degraded"]


async def test_a_memory_reads_as_it_was_written(api: Api) -> None:
    sent: dict[str, Any] = {
        "content": "Ada said: bring an umbrella.",
        "kind": "episodic",
        "labels": [{"name": "weather", "confidence": 0.5}, "advice"],
        "confidence": 0.75,
        "user_id": "ada",
        "session_id": "s-1",
        "observed_at": "2026-03-01T10:00:00Z",
        "tags": ["rain"],
        "pinned": True,
        "metadata": {"speaker": "Ada", "depth": {"of": [1, 2.5, None]}},
        "role": "user",
    }
    created = await remembered(api, **sent)

    read = await api.get(f"/memories/{created['id']}")

    for name in ("content", "kind", "confidence", "user_id", "session_id", "observed_at", "tags", "metadata"):
        assert read[name] == sent[name], name
    assert {label["name"]: label["confidence"] for label in read["labels"]} == {"weather": 0.5, "advice": 1}
    assert (read["pinned"], read["speaker"], read["version"]) == (True, "Ada", 1)
    assert created["outcome"] == "created"


async def test_the_same_text_again_is_refused_with_the_id_of_the_first(api: Api) -> None:
    first = await remembered(api, "The door code changes on Mondays.")

    answer = await api.call("POST", "/memories", {"content": "the door  code changes on mondays."})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "DUPLICATE_CONTENT")
    assert error["detail"] == first["id"]


async def test_many_at_once_have_an_answer_each_in_their_order(api: Api) -> None:
    results = await bulk(
        api,
        {"content": "Ada lives in Lyon."},
        {"content": ""},
        {"content": "Bob lives in Oslo.", "user_id": "bob", "session_id": "s-1"},
        {"content": "Ada lives in Lyon."},
        user_id="ada",
    )

    assert [result["status"] for result in results] == [201, 400, 201, 409]
    assert [result["memory"] and result["memory"]["user_id"] for result in results] == [
        "ada",
        None,
        "bob",
        None,
    ]
    assert results[3]["error"]["detail"] == results[0]["memory"]["id"]


async def test_a_hundred_memories_are_the_most_at_once(api: Api) -> None:
    fits = await bulk(api, *({"content": f"The number {number} was drawn."} for number in range(100)))
    assert {result["status"] for result in fits} == {201}
    body = {"memories": [{"content": f"Draw {number}"} for number in range(101)]}
    assert await api.refusal("POST", "/memories/bulk", body) == (400, "VALIDATION_ERROR")
    assert await api.refusal("POST", "/memories/bulk", {"memories": []}) == (400, "VALIDATION_ERROR")


async def test_a_list_is_had_page_by_page_and_filtered(api: Api) -> None:
    for number in range(5):
        await remembered(
            api, f"The number {number} was drawn.", user_id="ada", tags=["even" if number % 2 == 0 else "odd"]
        )
    await remembered(api, "Bob likes jazz.", user_id="bob", kind="preference")

    pages = await api.every("/memories", user_id="ada", limit=2)
    even = await api.get("/memories", tag="even")
    liked = await api.get("/memories", kind="preference")

    assert [each["content"] for each in pages] == [f"The number {n} was drawn." for n in range(5)]
    assert len(even) == 3
    assert [each["content"] for each in liked] == ["Bob likes jazz."]


async def test_what_is_deleted_is_not_found_and_can_be_restored(api: Api) -> None:
    memory = await remembered(api, "The spare key is under the mat.")
    await api.delete(f"/memories/{memory['id']}")

    assert await found(api, "where is the spare key?") == []
    assert await api.refusal("GET", f"/memories/{memory['id']}") == (403, "ACCESS_DENIED")
    assert await api.get("/memories") == []
    assert [each["id"] for each in await api.get("/memories", status="deleted")] == [memory["id"]]

    await api.do(f"/memories/{memory['id']}/restore")
    assert await found(api, "where is the spare key?") == ["The spare key is under the mat."]


async def test_only_who_may_delete_sees_what_is_deleted(
    service: Service, operator: Operator, api: Api
) -> None:
    memory = await remembered(api, "The spare key is under the mat.")
    await api.delete(f"/memories/{memory['id']}")
    reads_and_writes = Permission.MEMORY_READ | Permission.MEMORY_WRITE
    async with Api(service, await operator.token(service.org_id, reads_and_writes)) as reader:
        answer = await reader.call("GET", "/memories", params={"status": "deleted"})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
        assert error["detail"] == "Missing: memory:delete."
        for path in ("", "/history"):
            refusal = await reader.refusal("GET", f"/memories/{memory['id']}{path}")
            assert refusal == (403, "ACCESS_DENIED")
    deleted = await api.get("/memories", status="deleted")
    assert [each["id"] for each in deleted] == [memory["id"]]


async def test_an_end_user_never_sees_what_is_about_another(api: Api) -> None:
    await remembered(api, "Ada's desk is by the window.", user_id="ada")
    assert await found(api, "where is the desk?", user_id="bob") == []
    assert await found(api, "where is the desk?") == []
    assert await found(api, "where is the desk?", user_id="ada") == ["Ada's desk is by the window."]


async def test_a_bound_token_touches_its_own_agents_memories_only(
    service: Service, operator: Operator, api: Api
) -> None:
    other = await operator.create_agent(service.org_id, "Other", "other")
    memory = await remembered(api, "The vault opens at nine.")
    body = {"content": "x", "query": "vault"}

    assert await api.refusal("POST", "/memories", {"content": "x", "agent_id": "other"}) == (
        403,
        "AGENT_NOT_AUTHORIZED",
    )
    async with memories_of(service, operator, "other") as stranger:
        for method, path, sent in (
            ("GET", "", None),
            ("PATCH", "", {"content": body["content"]}),
            ("DELETE", "", None),
            ("DELETE", "?hard=true", None),
            ("GET", "/history", None),
            ("POST", "/pin", None),
            ("POST", "/archive", None),
            ("POST", "/revert", {"version": 1}),
            ("POST", "/feedback", {"signal": "helpful"}),
        ):
            refusal = await stranger.refusal(method, f"/memories/{memory['id']}{path}", sent)
            assert refusal == (403, "AGENT_NOT_AUTHORIZED"), (method, path)
        assert await stranger.get("/memories") == []
        assert await found(stranger, "vault") == []
    assert (await api.get(f"/memories/{memory['id']}"))["version"] == 1
    assert str(other.id) != memory["agent_id"]


async def test_an_unbound_token_names_the_agent_by_id_or_slug(service: Service, operator: Operator) -> None:
    agent = await operator.agent(service.org_id)
    async with memories_of(service, operator, None) as api:
        await remembered(api, "Lunch is at noon.", agent_id="helper")
        assert await found(api, "lunch", agent_id=str(agent.id)) == ["Lunch is at noon."]
        assert await api.refusal("POST", "/memories", {"content": "x"}) == (400, "MISSING_AGENT_ID")
        for nobody in (str(uuid4()), "nobody"):
            body = {"content": "x", "agent_id": nobody, "query": "lunch"}
            for path, names in (("", ("content", "agent_id")), ("/search", ("query", "agent_id"))):
                sent = {name: body[name] for name in names}
                assert await api.refusal("POST", f"/memories{path}", sent) == (403, "ACCESS_DENIED")


@pytest.mark.parametrize(("who", "role"), [("I", "user"), ("you", "assistant")])
async def test_a_question_asks_for_the_words_of_whom_it_names(api: Api, who: str, role: str) -> None:
    for turn, said_by in enumerate(("user", "assistant")):
        await remembered(
            api,
            "The ferry leaves at noon.",
            session_id="s-1",
            observed_at=f"2026-03-01T10:00:0{turn}Z",
            metadata={"role": said_by},
        )

    answer = await api.do("/memories/search", {"query": f"What did {who} say about the ferry?"})

    assert answer["results"][0]["memory"]["role"] == role
    assert len(answer["results"]) == 2
