"""What cannot be a memory is refused with a reason; what only looks odd is kept as it is."""

import json
from datetime import datetime

import httpx2
import pytest

from tests.memory.rest import found, remembered
from tests.rest.api import Api


def refused(answer: httpx2.Response, field: str) -> str:
    """The message of a refusal of one field."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "VALIDATION_ERROR", field), (
        answer.text
    )
    return str(error["message"])


@pytest.mark.parametrize("content", ["", "   \n\t ", "\u200b\u2060"])
async def test_a_text_that_shows_nothing_is_no_memory(api: Api, content: str) -> None:
    answer = await api.call("POST", "/memories", {"content": content})
    assert "at least one character" in refused(answer, "content")


async def test_a_text_of_a_million_characters_is_too_long(api: Api) -> None:
    answer = await api.call("POST", "/memories", {"content": "a" * 1_000_000})
    assert "100,000 characters" in refused(answer, "content")


async def test_a_body_beyond_the_limit_of_the_service_is_not_even_read(api: Api) -> None:
    body = {"content": "a" * (1 << 20)}
    assert await api.refusal("POST", "/memories", body) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_text_as_long_as_allowed_is_kept_whole(api: Api) -> None:
    text = ("Ünïcödé " * 12_500).strip()
    memory = await remembered(api, text)
    assert (await api.get(f"/memories/{memory['id']}"))["content"] == text


@pytest.mark.parametrize("content", ["a\x01b", "\x7fELF\x02\x01\x01", "\x1b[31mred"])
async def test_binary_is_not_text(api: Api, content: str) -> None:
    answer = await api.call("POST", "/memories", {"content": content})
    assert "is not text" in refused(answer, "content")


async def test_bytes_that_are_not_utf8_are_no_json(api: Api) -> None:
    answer = await api.client.post(
        "/v1/memories", content=b'{"content": "\xff\xfe"}', headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_JSON")


async def test_nul_is_refused(api: Api) -> None:
    answer = await api.call("POST", "/memories", {"content": "a\0b"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("content", "query"),
    [("עדה מעדיפה תה על קפה", "תה"), ("تفضل آدا الشاي على القهوة", "الشاي"), ("🫖❤️👩🏽‍💻", "🫖❤️👩🏽‍💻")],
)
async def test_right_to_left_and_emoji_are_kept_to_the_character(api: Api, content: str, query: str) -> None:
    memory = await remembered(api, content)
    assert (await api.get(f"/memories/{memory['id']}"))["content"] == content
    answer = await api.call("POST", "/memories/search", {"query": query})
    assert answer.status_code == 200


async def test_right_to_left_text_is_found(api: Api) -> None:
    await remembered(api, "עדה מעדיפה תה על קפה")
    await remembered(api, "הפגישה ביום שני")
    assert (await found(api, "תה"))[:1] == ["עדה מעדיפה תה על קפה"]


async def test_ten_thousand_tags_are_too_many(api: Api) -> None:
    tags = [f"tag-{number}" for number in range(10_000)]
    answer = await api.call("POST", "/memories", {"content": "x is y", "tags": tags})
    assert "32 tags at most, not 10,000" in refused(answer, "tags")
    memory = await remembered(api, "x is y")
    answer = await api.call("PATCH", f"/memories/{memory['id']}", {"tags": tags})
    assert "32 tags at most, not 10,000" in refused(answer, "tags")


async def test_an_interval_that_ends_before_it_starts_is_refused(api: Api) -> None:
    interval = {"valid_from": "2026-02-01T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"}
    answer = await api.call("POST", "/memories", {"content": "x is y", **interval})
    assert "later than `valid_from`" in refused(answer, "valid_until")
    memory = await remembered(api, "x is y", valid_from="2026-02-01T00:00:00Z")
    answer = await api.call("PATCH", f"/memories/{memory['id']}", {"valid_until": "2026-01-01T00:00:00Z"})
    assert "later than `valid_from`" in refused(answer, "valid_until")


@pytest.mark.parametrize("path", ["/memories", "/memories/conflicts", "/memories/quarantine"])
async def test_a_cursor_that_was_tampered_with_is_refused(api: Api, path: str) -> None:
    for cursor in ("x", "01a20747-378d-70c7-a843-85766e82a98", "' OR 1=1 --", "-1"):
        refused(await api.call("GET", path, params={"cursor": cursor}), "cursor")


async def test_a_tampered_cursor_of_a_history_is_refused(api: Api) -> None:
    memory = await remembered(api, "x is y")
    for cursor in ("x", "-1", str(2**63)):
        answer = await api.call("GET", f"/memories/{memory['id']}/history", params={"cursor": cursor})
        refused(answer, "cursor")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"category": "opinion"}, "kind"),
        ({"category": "factual", "kind": "episodic"}, "category"),
        ({"confidence": 1.5}, "confidence"),
        ({"visibility": "world"}, "visibility"),
        ({"visibility": "session"}, "session_id"),
        ({"user_id": "u" * 257}, "user_id"),
        ({"user_id": ""}, "user_id"),
        ({"session_id": "s" * 65}, "session_id"),
        ({"metadata": {"x": "y" * 20_000}}, "metadata"),
        ({"observed_at": "1066-10-14T09:00:00Z"}, "observed_at"),
        ({"observed_at": "0001-01-01T00:00:00+14:00"}, "observed_at"),
        ({"observed_at": "9999-12-31T23:59:59-12:00"}, "observed_at"),
        ({"observed_at": "2999-01-01T00:00:00Z"}, "observed_at"),
        ({"observed_at": "yesterday"}, "observed_at"),
        ({"valid_from": "0001-01-01T00:00:00+14:00"}, "valid_from"),
        ({"valid_until": "9999-12-31T23:59:59-12:00"}, "valid_until"),
        ({"valid_from": "2026-01-01T00:00:00", "valid_until": "2026-01-01T00:00:00Z"}, "valid_until"),
        ({"tags": ["a\nb"]}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["t" * 65]}, "tags"),
        ({"labels": {"a": 2}}, "labels"),
        ({"speaker": ""}, "speaker"),
        ({"role": "r" * 65}, "role"),
        ({"trace_id": "t" * 65}, "trace_id"),
        ({"turn_id": "nope"}, "turn_id"),
        ({"colour": "blue"}, "colour"),
        ({"labels": ["a", "a"]}, "labels"),
    ],
)
async def test_the_field_that_is_wrong_is_named(api: Api, fields: dict[str, object], field: str) -> None:
    refused(await api.call("POST", "/memories", {"content": "x is y", **fields}), field)


@pytest.mark.parametrize("offset", ["+23:59", "-23:59", "+14:00", "Z", ""])
async def test_a_time_may_have_any_offset_and_without_one_is_utc(api: Api, offset: str) -> None:
    given = f"2026-01-01T12:00:00{offset}"
    memory = await remembered(api, "x is y", observed_at=given, valid_from=given)
    moment = datetime.fromisoformat(given if offset else f"{given}Z")
    assert datetime.fromisoformat(memory["observed_at"]) == moment
    stored = await api.get(f"/memories/{memory['id']}")
    assert (stored["observed_at"], stored["valid_from"]) == (memory["observed_at"], memory["valid_from"])


@pytest.mark.parametrize("field", ["metadata", "content", "tags"])
async def test_half_a_surrogate_pair_is_refused(api: Api, field: str) -> None:
    half = {"metadata": {"a": "\ud800"}, "content": "a\ud800", "tags": ["\ud800"]}[field]
    body = json.dumps({"content": "x is y", field: half})
    answer = await api.client.post("/v1/memories", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("levels", [40, 2_000])
async def test_metadata_that_is_too_deep_is_refused(api: Api, levels: int) -> None:
    body = f'{{"content": "x is y", "metadata": {{"a": {"[" * levels}{"]" * levels}}}}}'
    answer = await api.client.post("/v1/memories", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_JSON")


@pytest.mark.parametrize("field", ["user_id", "session_id", "role", "trace_id"])
async def test_an_identifier_with_a_secret_is_refused_and_not_repeated(api: Api, field: str) -> None:
    key = "AKIA" + "IOSFODNN7ABCDEFG"
    answer = await api.call("POST", "/memories", {"content": "x is y", field: key})
    assert "holds a secret" in refused(answer, field)
    assert key not in answer.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "limit": 101}, "limit"),
        ({"query": "x" * 10_001}, "query"),
        ({"query": "x", "filters": {"colour": "blue"}}, "filters.colour"),
        ({"query": "x", "filters": {"min_confidence": 2}}, "filters.min_confidence"),
    ],
)
async def test_a_search_that_cannot_be_is_refused(api: Api, body: dict[str, object], field: str) -> None:
    refused(await api.call("POST", "/memories/search", body), field)


@pytest.mark.parametrize("query", ["", "   ", "?!", "🫖", "a" * 10_000, "' OR 1=1 --", "\u202eabc"])
async def test_any_question_is_answered(api: Api, query: str) -> None:
    await remembered(api, "The office closes at six.")
    answer = await api.call("POST", "/memories/search", {"query": query})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
async def test_a_time_outside_of_the_calendar_is_refused_by_its_name(api: Api, moment: str) -> None:
    search, filters = "/v1/memories/search", {"observed_from": moment}

    refused(await api.client.post(search, json={"query": "tea", "as_of": moment}), "as_of")
    refused(await api.client.post(search, json={"query": "tea", "filters": filters}), "filters.observed_from")
    refused(await api.client.get("/v1/memories", params={"as_of": moment}), "as_of")
    refused(await api.client.get("/v1/memories", params={"observed_until": moment}), "observed_until")
