"""Why did it say that? What a call was told, read afterwards."""

import logging
from uuid import UUID

import psycopg
import pytest

from ibex.auth import ALL, Permission
from ibex.context.models import ModelCatalogue
from ibex.context.tokens import TokenCounter
from ibex.ids import uuid7
from tests.context.stage import MODEL, Stage, assistant, reasons, receipt, says, text_of, told, user
from tests.faults.waiting import until
from tests.providers import behaviours
from tests.rest.api import Api
from tests.vocabulary import vocabulary

_DIRECTIVE = "You are Nadir, a travel agent. Be brief."
_QUESTION = user("What tea does Ada drink?")


@pytest.fixture
def counter() -> TokenCounter:
    return TokenCounter(ModelCatalogue.of_package({}), vocabulary())


async def test_a_receipt_says_everything_that_decided(stage: Stage) -> None:
    directive = await stage.directive(_DIRECTIVE)
    tea = await stage.remembered("Ada drinks green tea.")
    bike = await stage.remembered("Ada's tea house is behind the station.")
    answer = await stage.ask(_QUESTION, session_id="monday")

    shown = await stage.receipt(answer)

    assert shown["id"] == answer.headers["x-request-id"]
    assert shown["trace_id"] == answer.headers["x-trace-id"]
    assert (shown["user_id"], shown["session_id"], shown["model"]) == ("ada", "monday", MODEL)
    assert (shown["rung"], "words alone" in shown["degraded"]) == ("complete", True)
    assert shown["directive"] == {
        "id": directive["id"],
        "number": 1,
        "sha256": directive["sha256"],
        "mode": "system_first",
    }
    assert told(shown) == [tea["id"], bike["id"]]
    assert [memory["rank"] for memory in shown["memories"]] == [1, 2]
    first, second = shown["memories"]
    assert first["score"] > second["score"]
    assert (first["kind"], first["source"]) == ("factual", "search")
    assert first["content"] == "Ada drinks green tea."
    assert {"relevance", "recency", "usefulness", "confidence", "use", "lexical"} <= set(first["components"])
    assert set(shown["timings_ms"]) == {"directive", "retrieval", "packing", "all"}
    assert all(milliseconds >= 0 for milliseconds in shown["timings_ms"].values())
    assert answer.headers["x-ibex-memories-injected"] == "2"


async def test_its_tokens_are_those_that_were_sent(stage: Stage, counter: TokenCounter) -> None:
    await stage.directive(_DIRECTIVE)
    for number in range(4):
        await stage.remembered(f"Ada drinks tea of kind {number}, at {number} o'clock; 茶は{number}杯。")
    answer = await stage.ask(_QUESTION)
    tokens = (await stage.receipt(answer))["tokens"]

    front = text_of(stage.messages[0])
    notice = front.removeprefix(f"{_DIRECTIVE}\n\n")
    opening, *lines, closing = stage.block.splitlines()
    counts = [counter.count(f"{line}\n", MODEL) for line in lines]
    assert tokens["directive"] == counter.count(_DIRECTIVE, MODEL)
    assert tokens["notice"] == counter.count(notice, MODEL)
    assert tokens["memories"] == sum(counts)
    shown = await stage.receipt(answer)
    assert sorted(memory["tokens"] for memory in shown["memories"] if memory["included"]) == sorted(counts)
    assert answer.headers["x-ibex-context-tokens"] == str(
        tokens["directive"] + tokens["notice"] + tokens["memories"]
    )
    # The whole block has not more than its lines and its marks.
    marks = counter.count(f"{opening}\n{closing}", MODEL)
    assert counter.count(stage.block, MODEL) <= tokens["memories"] + marks
    assert (tokens["window"], tokens["available"]) == (128_000, 1_000)
    assert tokens["reserve"] == 4_096
    assert tokens["margin"] == 12_800


async def test_each_memory_that_is_left_out_has_its_reason(stage: Stage) -> None:
    told_ = await stage.remembered("Ada drinks green tea from the old tea house by the harbour.")
    again = await stage.remembered("Ada drinks green tea from an old tea house by the harbour!")
    said = await stage.remembered("Ada likes her tea cup blue.")
    long = await stage.remembered("Of tea: " + "a story of a very long evening, " * 300)
    answer = await stage.ask(
        user("I like my cup so: Ada likes HER  tea cup blue."),
        assistant("Noted."),
        user("Which tea does Ada drink, from which tea house by the harbour?"),
    )
    found = reasons(await stage.receipt(answer))
    assert {found[told_["id"]], found[again["id"]]} == {None, "duplicate"}
    assert found[said["id"]] == "conversation"
    assert found[long["id"]] == "budget"


async def test_it_is_found_by_its_trace_too(stage: Stage) -> None:
    answer = await stage.ask(_QUESTION)
    shown = await stage.receipt(answer)
    assert await stage.admin.get(f"/traces/{answer.headers['x-trace-id']}/context") == shown
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    first = await stage.ask(_QUESTION, headers=headers)
    await stage.receipt(first)
    second = await stage.ask(_QUESTION, headers=headers)
    assert (await stage.receipt(second))["id"] == second.headers["x-request-id"]
    assert first.headers["x-trace-id"] == second.headers["x-trace-id"] == trace
    for name in (trace, str(UUID(trace))):
        assert (await stage.admin.get(f"/traces/{name}/context"))["id"] == first.headers["x-request-id"]


async def test_each_call_has_one_however_it_ends(stage: Stage) -> None:
    """A stream, a provider that fails, an answer that breaks off, a step of a tool loop."""
    await stage.remembered("Ada drinks green tea.")
    answers = [await stage.ask(_QUESTION, stream=True)]
    answers.append(await stage.ask(_QUESTION, {"role": "tool", "tool_call_id": "1", "content": "x"}))
    stage.stub.on(MODEL, behaviours.status(400))
    answers.append(await stage.say(_QUESTION))
    assert answers[-1].status_code == 400
    for answer in answers:
        shown = await stage.receipt(answer)
        assert len(told(shown)) == 1
    assert len(await stage.rows("context_receipts")) == len(answers)


async def test_an_answer_that_is_replayed_was_told_nothing_anew(stage: Stage) -> None:
    once = {"Idempotency-Key": "once"}
    first = await stage.ask(_QUESTION, headers=once, session_id="monday")

    async def is_replayed() -> bool:
        again = await stage.ask(_QUESTION, headers=once, session_id="monday")
        return again.headers.get("x-ibex-idempotency") == "replayed"

    await stage.receipt(first)
    await until(is_replayed)
    await stage.receipt(await stage.ask(user("Another one.")))
    assert len({row["id"] for row in await stage.rows("context_receipts")}) == 2


async def test_one_of_another_tenant_answers_as_one_that_is_not_there(stage: Stage) -> None:
    answer = await stage.ask(_QUESTION)
    await stage.receipt(answer)
    other_org = await stage.operator.organization("other")
    async with Api(stage.service, await stage.operator.token(other_org, ALL, None)) as theirs:
        refusals: list[tuple[int, dict[str, object]]] = []
        for name in (answer.headers["x-request-id"], answer.headers["x-trace-id"], str(uuid7())):
            refused = await theirs.call("GET", f"/traces/{name}/context")
            error = refused.json()["error"]
            refusals.append((refused.status_code, {**error, "request_id": None, "timestamp": None}))
    assert refusals[0] == refusals[1] == refusals[2]
    assert (refusals[0][0], refusals[0][1]["code"]) == (403, "ACCESS_DENIED")


async def test_what_is_no_id_is_refused(stage: Stage) -> None:
    assert await stage.admin.refusal("GET", "/traces/first/context") == (400, "VALIDATION_ERROR")


async def test_a_token_of_another_agent_does_not_see_it(stage: Stage) -> None:
    answer = await stage.ask(_QUESTION)
    await stage.receipt(answer)
    await stage.operator.create_agent(stage.service.org_id, "Other", "other")
    path = f"/traces/{answer.headers['x-request-id']}/context"
    async with Api(stage.service, await stage.operator.token(stage.service.org_id, ALL, "other")) as other:
        assert await other.refusal("GET", path) == (403, "AGENT_NOT_AUTHORIZED")
    async with Api(stage.service, await stage.operator.token(stage.service.org_id, ALL, None)) as unbound:
        assert (await unbound.get(path))["id"] == answer.headers["x-request-id"]


async def test_texts_are_for_who_may_read_memories(stage: Stage) -> None:
    tea = await stage.remembered("Ada drinks green tea.")
    answer = await stage.ask(_QUESTION)
    seen = await stage.receipt(answer)
    token = await stage.operator.token(stage.service.org_id, Permission.TRACE_READ)
    async with Api(stage.service, token) as auditor:
        shown = await receipt(auditor, answer.headers["x-request-id"])
    assert told(shown) == [tea["id"]]
    assert [memory["content"] for memory in shown["memories"]] == [None]
    assert {**shown, "memories": None} == {**seen, "memories": None}
    token = await stage.operator.token(stage.service.org_id, ALL & ~Permission.TRACE_READ)
    async with Api(stage.service, token) as nobody:
        refusal = await nobody.refusal("GET", f"/traces/{answer.headers['x-request-id']}/context")
    assert refusal == (403, "INSUFFICIENT_PERMISSIONS")


async def test_a_receipt_shows_what_a_memory_said_then(stage: Stage) -> None:
    tea = await stage.remembered("Ada drinks green tea.")
    answer = await stage.ask(_QUESTION)
    await stage.admin.change(f"/memories/{tea['id']}", {"content": "Ada drinks black tea."})
    [memory] = (await stage.receipt(answer))["memories"]
    assert memory["content"] == "Ada drinks green tea."


@pytest.mark.parametrize("path", ["/memories/{}", "/memories/{}?hard=true"])
async def test_what_is_deleted_is_gone_from_receipts_too(stage: Stage, path: str) -> None:
    tea = await stage.remembered("Ada drinks green tea.")
    answer = await stage.ask(_QUESTION)
    assert (await stage.receipt(answer))["memories"][0]["content"] == "Ada drinks green tea."
    await stage.admin.call("DELETE", path.format(tea["id"]))
    [memory] = (await stage.receipt(answer))["memories"]
    assert (memory["memory_id"], memory["included"], memory["content"]) == (tea["id"], True, None)


async def test_no_text_of_anybody_is_stored_logged_or_counted(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await stage.directive("The directive has canary-1 in it.")
    await stage.remembered("The tea canary-2 sings.")
    stage.stub.on(MODEL, says("Thus sings canary-4."))
    first = await stage.ask(user("Which tea canary-3 sings?"), session_id="monday")
    assert "canary-2" in stage.block
    await stage.receipt(first)
    second = await stage.ask(user("And which tea canary-5 sings?"), session_id="monday")
    await stage.receipt(second)

    rows = await stage.rows("context_receipts")
    assert len(rows) == 2
    assert "canary" not in str(rows)
    assert "canary" not in caplog.text
    assert b"canary" not in stage.service.instruments.metrics.render()
    assert "canary" not in str([first.headers, second.headers])


async def test_receipts_are_written_once_and_stay_as_they_are(stage: Stage) -> None:
    await stage.receipt(await stage.ask(_QUESTION))
    for statement in ("UPDATE ibex.context_receipts SET at = now()", "DELETE FROM ibex.context_receipts"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await stage.operator.postgres.execute(stage.service.org_id, statement, {})
