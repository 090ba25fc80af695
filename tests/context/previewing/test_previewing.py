"""`POST /v1/context/preview`: what would be sent, without sending it."""

from typing import Any

import pytest

from ibex.auth import ALL, Permission
from ibex.context.models import ModelCatalogue
from ibex.context.tokens import TokenCounter
from ibex.ids import uuid7
from tests.context.stage import MODEL, Message, Stage, assistant, reasons, text_of, told, user
from tests.rest.api import Api
from tests.security.redis_content import everything_in_redis
from tests.vocabulary import vocabulary

_QUESTION = user("What tea does Ada drink?")
_BUDGETS = (0, 1, 5, 13, 14, 15, 27, 28, 29, 41, 60, 83, 100, 140, 199, 250, 333, 500, 777, 1_000, 5_000)


def wanted(*messages: Message, **fields: Any) -> dict[str, Any]:
    return {"user_id": "ada", "model": MODEL, "messages": messages or [_QUESTION], **fields}


async def preview(stage: Stage, *messages: Message, **fields: Any) -> Any:
    return await stage.admin.do("/context/preview", wanted(*messages, **fields))


def block_of(shown: Any) -> str:
    texts = map(text_of, shown["body"]["messages"])
    return next((text for text in texts if text.startswith("<memories ")), "")


@pytest.mark.parametrize("session", ["monday", None])
@pytest.mark.parametrize("mode", ["system_first", "system_append", "user_prepend"])
async def test_it_shows_what_a_call_would_send(stage: Stage, session: str | None, mode: str) -> None:
    await stage.directive("Be brief.", mode)
    await stage.remembered("Ada drinks green tea.")
    said = [{"role": "system", "content": "Answer in English."}, user("Hi!"), assistant("Hi."), _QUESTION]
    shown = await preview(stage, *said, session_id=session)
    answer = await stage.ask(*said, session_id=session, headers={"X-IBEX-Skip-Extraction": "true"})
    assert shown["body"] == stage.stub.requests[-1].json()
    assert "green tea" in block_of(shown)
    stored = await stage.receipt(answer)
    for field in ("rung", "degraded", "directive", "tokens", "user_id", "agent_id", "model"):
        assert shown["receipt"][field] == stored[field], field
    assert told(shown["receipt"]) == told(stored)
    assert shown["receipt"]["memories"][0]["content"] == "Ada drinks green tea."


async def test_nothing_is_sent_stored_counted_or_learned(stage: Stage) -> None:
    await stage.directive()
    await stage.remembered("Ada drinks green tea.")
    marker = await stage.receipt(await stage.ask(user("Hello!"), user_id="grace"))
    tables = (
        "memories",
        "memory_versions",
        "memory_feedback",
        "sessions",
        "session_turns",
        "context_receipts",
    )
    before = [await stage.rows(table) for table in tables]
    in_redis = set(everything_in_redis(stage.database.redis_url))
    sent, counted = len(stage.stub.requests), stage.service.instruments.context_rungs.total("complete")

    shown = await preview(stage, user("My cat is called Schroedinger. What tea?"), session_id="monday")

    assert block_of(shown)
    # Whatever is written behind the answers comes in their order.
    await stage.receipt(await stage.ask(user("Hello!"), user_id="grace", session_id=marker["session_id"]))
    after = [await stage.rows(table) for table in tables]
    assert after[:3] == before[:3]
    assert len(after[-1]) == len(before[-1]) + 1
    assert not [row for row in after[3] if row["id"] == "monday"]
    assert len(stage.stub.requests) == sent + 1
    assert stage.service.instruments.context_rungs.total("complete") == counted + 1
    new = set(everything_in_redis(stage.database.redis_url)) - in_redis
    assert not [key for key in new if "turns" in key or "told" in key]
    assert "Schroedinger" not in str(everything_in_redis(stage.database.redis_url))


async def test_without_a_memory_another_takes_its_place(stage: Stage) -> None:
    tea = await stage.remembered("Ada drinks green tea.")
    other = await stage.remembered("Ada drinks tea of all kinds, as long as it is cold outside.")
    both = await preview(stage)
    assert set(told(both["receipt"])) == {tea["id"], other["id"]}
    without = await preview(stage, without=[tea["id"], str(uuid7())])
    assert reasons(without["receipt"]) == {tea["id"]: "without", other["id"]: None}
    assert "green tea" not in str(without["body"])
    none = await preview(stage, without=[tea["id"], other["id"]])
    assert block_of(none) == ""


async def test_without_any_tokens_there_are_no_memories(stage: Stage) -> None:
    await stage.directive()
    await stage.remembered("Ada drinks green tea.")
    shown = await preview(stage, memory_tokens=0)
    assert shown["body"]["messages"] == [{"role": "system", "content": "Be brief."}, _QUESTION]
    assert (shown["receipt"]["rung"], shown["receipt"]["tokens"]["memories"]) == ("skipped", 0)


async def test_no_budget_is_exceeded_by_a_token_and_pinned_ones_come_first(stage: Stage) -> None:
    counter = TokenCounter(ModelCatalogue.of_package({}), vocabulary())
    pinned = [
        await stage.remembered(f"Pinned note {number}: {'word ' * number}.", pinned=True) for number in (1, 6)
    ]
    others = [
        await stage.remembered(
            f"Tea of kind {number} is what Ada drinks at {'tea ' * (number % 7)}茶{number}."
        )
        for number in range(24)
    ]
    most = 0
    for budget in _BUDGETS:
        shown = await preview(stage, memory_tokens=budget)
        lines = block_of(shown).splitlines()[1:-1]
        tokens = sum(counter.count(f"{line}\n", MODEL) for line in lines)
        assert tokens == shown["receipt"]["tokens"]["memories"] <= budget
        chosen = told(shown["receipt"])
        assert len(chosen) == len(lines)
        costs = {each["memory_id"]: each["tokens"] for each in shown["receipt"]["memories"]}
        if {each["id"] for each in others} & set(chosen):
            for each in pinned:
                # One that is not told did not fit beside the other.
                assert each["id"] in chosen or costs[each["id"]] > budget - sum(
                    costs[other["id"]] for other in pinned if other["id"] in chosen
                )
        if budget >= sum(costs.get(each["id"], 0) for each in pinned) and budget:
            assert {each["id"] for each in pinned} <= set(chosen), budget
        assert len(chosen) >= 1 or budget < min(costs.values(), default=1)
        most = max(most, len(chosen))
    assert most > 5


async def test_the_same_is_shown_again(stage: Stage) -> None:
    for number in range(12):
        await stage.remembered(f"Tea of kind {number} is what Ada drinks at {'tea ' * (number % 5)}noon.")
    bodies = [(await preview(stage, memory_tokens=90))["body"] for _ in range(3)]
    assert bodies[0] == bodies[1] == bodies[2]


async def test_another_version_of_the_directive_can_be_tried(stage: Stage) -> None:
    await stage.directive("Version one.")
    draft = await stage.admin.create("/directives", {"content": "Version two."})
    for reference in ("2", draft["id"]):
        shown = await preview(stage, directive=reference)
        assert text_of(shown["body"]["messages"][0]).startswith("Version two.")
        assert shown["receipt"]["directive"]["number"] == 2
    answer = await stage.admin.refusal("POST", "/context/preview", wanted(directive="9"))
    assert answer == (403, "ACCESS_DENIED")


async def test_it_speaks_the_other_dialect_too(stage: Stage) -> None:
    await stage.directive()
    await stage.remembered("Ada drinks green tea.")
    shown = await preview(stage, dialect="anthropic", model="claude-haiku-4-5", system="Answer in English.")
    texts = [block["text"] for block in shown["body"]["system"]]
    assert texts[:2] == ["Be brief.", "Answer in English."]
    [memories, question] = shown["body"]["messages"][0]["content"]
    assert "green tea" in memories["text"]
    assert question["text"] == "What tea does Ada drink?"


async def test_a_conversation_that_is_too_long_is_refused_as_in_a_call(stage: Stage) -> None:
    answer = await stage.admin.call("POST", "/context/preview", wanted(user("tea " * 130_000)))
    assert answer.status_code == 400
    assert answer.json()["error"]["docs_url"].endswith("/CONTEXT_LENGTH_EXCEEDED")


@pytest.mark.parametrize(
    "permissions", [Permission.MEMORY_READ, Permission.DIRECTIVE_READ, ALL & ~Permission.MEMORY_READ]
)
async def test_it_takes_the_right_to_read_both(stage: Stage, permissions: Permission) -> None:
    async with Api(stage.service, await stage.operator.token(stage.service.org_id, permissions)) as api:
        assert await api.refusal("POST", "/context/preview", wanted()) == (403, "INSUFFICIENT_PERMISSIONS")


async def test_nobody_sees_what_others_would_be_told(stage: Stage) -> None:
    """Another agent's token, another tenant's, and another end user in the question."""
    await stage.remembered("Ada drinks green tea.")
    await stage.operator.create_agent(stage.service.org_id, "Other", "other")
    async with Api(stage.service, await stage.operator.token(stage.service.org_id, ALL, "other")) as other:
        refusal = await other.refusal("POST", "/context/preview", wanted(agent_id="helper"))
        assert refusal == (403, "AGENT_NOT_AUTHORIZED")
        assert block_of(await other.do("/context/preview", wanted())) == ""
    other_org = await stage.operator.organization("other")
    helper = (await stage.operator.agent(stage.service.org_id)).id
    async with Api(stage.service, await stage.operator.token(other_org, ALL, None)) as theirs:
        for agent_id in (str(helper), str(uuid7())):
            refusal = await theirs.refusal("POST", "/context/preview", wanted(agent_id=agent_id))
            assert refusal == (403, "ACCESS_DENIED")
        assert block_of(await theirs.do("/context/preview", wanted(agent_id="helper"))) == ""
        assert await theirs.refusal("POST", "/context/preview", wanted()) == (400, "MISSING_AGENT_ID")
    assert block_of(await preview(stage, user_id="grace")) == ""
    assert block_of(await preview(stage)) != ""


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": []},
        {"messages": "tea"},
        {"messages": [7]},
        {"model": ""},
        {"dialect": "latin"},
        {"memory_tokens": -1},
        {"memory_tokens": 100_001},
        {"without": ["first"]},
        {"user_id": ""},
        {"session_id": "x" * 65},
        {"directive": "x"},
        {"unknown": 1},
    ],
)
async def test_what_is_malformed_is_refused(stage: Stage, fields: dict[str, Any]) -> None:
    answer = await stage.admin.refusal("POST", "/context/preview", {**wanted(), **fields})
    assert answer == (400, "VALIDATION_ERROR")
