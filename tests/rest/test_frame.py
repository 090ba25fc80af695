"""What every route has in common: methods, media types, JSON, parameters, the envelope."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from ibex.auth import ALL
from ibex.ids import uuid7
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service

JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture
async def api(service: Service, operator: Operator) -> AsyncIterator[Api]:
    async with Api(service, await operator.token(service.org_id, ALL, None)) as client:
        yield client


async def test_a_wrong_method_is_told_all_the_right_ones(api: Api) -> None:
    for method, path, allowed in [
        ("DELETE", "/agents", "GET, HEAD, POST"),
        ("PUT", "/agents/helper", "GET, HEAD, PATCH"),
        ("GET", "/agents/helper/pause", "POST"),
        ("POST", "/tokens/01a20747-378d-70c7-a843-85766e82a988", "DELETE, GET, HEAD"),
        ("POST", "/organizations/me", "DELETE, GET, HEAD, PATCH"),
        ("OPTIONS", "/users", "GET, HEAD, POST"),
        ("TRACE", "/users", "GET, HEAD, POST"),
        ("PROPFIND", "/users", "GET, HEAD, POST"),
    ]:
        answer = await api.call(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed), (method, path)
        assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
        assert answer.headers["x-request-id"] == answer.json()["error"]["request_id"]


async def test_head_is_get_without_the_body(api: Api) -> None:
    got, head = await api.call("GET", "/agents"), await api.call("HEAD", "/agents")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    refused = await api.call("HEAD", f"/agents/{uuid7()}")
    assert (refused.status_code, refused.content) == (403, b"")
    assert (await api.client.head("/openapi.json")).status_code == 200


async def test_a_path_that_is_none(api: Api) -> None:
    for path in ["/agents/", "/agents/helper/", "//agents", "/agents/helper/x", "/agent"]:
        assert await api.refusal("GET", path) == (404, "NOT_FOUND"), path


async def test_a_path_may_be_spelled_with_percent_signs(api: Api) -> None:
    assert (await api.get("/%61gents/h%65lper"))["slug"] == "helper"
    for path in ("/agents%2F..%2Fusers", "/agents/..%2Fusers", "/agents/helper%2Fpause"):
        status, _ = await api.refusal("GET", path)
        assert status in {404, 405}


async def test_what_cannot_be_printed_is_no_name(api: Api) -> None:
    for reference in ["%00", "a%00b", "a%0Ab", "%7F", "%E2%80%A8"]:
        for path in (f"/agents/{reference}", f"/tokens?state={reference}"):
            assert await api.refusal("GET", path) == (400, "VALIDATION_ERROR"), path


async def test_a_strange_name_is_nobodys(api: Api) -> None:
    for reference in ["%FF", "%ED%A0%80", "日本", "a b", "A" * 5_000, "..."]:
        refusal = await api.refusal("GET", f"/agents/{reference}")
        assert refusal == (403, "ACCESS_DENIED"), reference


async def test_what_is_no_id_is_told_so(api: Api) -> None:
    for reference in ["1", "0" * 37, "%FF", "{}", "null", "' OR 1=1"]:
        refusal = await api.refusal("GET", f"/tokens/{reference}")
        assert refusal == (400, "VALIDATION_ERROR"), reference


async def test_a_parameter_is_right_or_refused(api: Api) -> None:
    for query in [
        "lmit=5",
        "limit=5&x",
        "limit",
        "limit=",
        "limit=five",
        "limit=1e1",
        f"limit={'9' * 5_000}",
        "limit=-1",
        "limit=5&limit=6",
        "cursor=me",
        "cursor=",
        "%00=1",
        "limit=%00",
        "limit=%FF",
    ]:
        refusal = await api.refusal("GET", f"/agents?{query}")
        assert refusal == (400, "VALIDATION_ERROR"), query[:80]


async def test_a_route_without_parameters_takes_none(api: Api) -> None:
    assert await api.refusal("GET", "/agents/helper?fields=name") == (400, "VALIDATION_ERROR")
    assert await api.refusal("GET", "/organizations/me?org_id=1") == (400, "VALIDATION_ERROR")


async def test_a_body_is_right_or_refused(api: Api) -> None:
    for body, code in [
        (b"", "VALIDATION_ERROR"),
        (b"{", "INVALID_JSON"),
        (b'{"name": "x"} x', "INVALID_JSON"),
        (b"{'name': 'x'}", "INVALID_JSON"),
        (b'{"name": "x", "name": "y"}', "INVALID_JSON"),
        (b'{"name": "x", "config": {"a": {"b": 1, "b": 2}}}', "INVALID_JSON"),
        (b'{"name": "\xff"}', "INVALID_JSON"),
        ('{"name": "x"}'.encode("utf-16"), "INVALID_JSON"),
        (b'\xef\xbb\xbf{"name": "x"}', "INVALID_JSON"),
        (b'{"name": "x", "config": {"a": NaN}}', "INVALID_JSON"),
        (b'{"name": "x", "config": {"a": -Infinity}}', "INVALID_JSON"),
        (b'{"name": "x", "config": {"a": 1e999}}', "INVALID_JSON"),
        (b'{"name": "x", "config": {"a": 9223372036854775808}}', "INVALID_JSON"),
        (b'{"name": "x", "config": {"a": -' + b"9" * 100_000 + b"}}", "INVALID_JSON"),
        (b'{"name": "x", "config": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}", "INVALID_JSON"),
        (b"[" * 60_000 + b"]" * 60_000, "INVALID_JSON"),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "INVALID_JSON"),
        (b'{"name": "a\\u0000b"}', "VALIDATION_ERROR"),
        (b'{"name": "x", "config": {"a": ["\\u0000"]}}', "VALIDATION_ERROR"),
        (b'{"name": "x", "config": {"\\u0000": 1}}', "VALIDATION_ERROR"),
        (b'{"name": "\\ud800"}', "VALIDATION_ERROR"),
        (b'{"name": "x", "config": {"\\udfff": 1}}', "VALIDATION_ERROR"),
        (b"[]", "VALIDATION_ERROR"),
        (b"null", "VALIDATION_ERROR"),
        (b'"name"', "VALIDATION_ERROR"),
        (b"1", "VALIDATION_ERROR"),
        (b'{"name": 1}', "VALIDATION_ERROR"),
        (b'{"name": null}', "VALIDATION_ERROR"),
        (b'{"name": ["x"]}', "VALIDATION_ERROR"),
        (b'{"name": "x", "colour": "red"}', "VALIDATION_ERROR"),
        (b'{"name": "x", "config": []}', "VALIDATION_ERROR"),
    ]:
        answer = await api.call("POST", "/agents", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code), body[:80]
        assert len(answer.content) < 2_000
    assert len(await api.every("/agents")) == 1


async def test_every_letter_that_can_be_stored_comes_back(api: Api) -> None:
    config: dict[str, Any] = {
        "\u0001 \u2028 🦌 e\u0301 \u202e": ["", "\t\n", 1.5, -1, 2**63 - 1, None, True, {"": {}}]
    }
    created = await api.create("/agents", {"name": "Ünïcode 🦌", "slug": "unicode", "config": config})
    assert created["name"] == "Ünïcode 🦌"
    assert (await api.get("/agents/unicode"))["config"] == config


async def test_a_body_is_plain_json(api: Api) -> None:
    body = json.dumps({"name": "x"}).encode()
    for headers in [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/vnd.api+json"},
        {**JSON, "Content-Encoding": "gzip"},
    ]:
        answer = await api.call("POST", "/agents", content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_large_body_is_refused(api: Api) -> None:
    for size in (1 << 20, 128 << 10):
        answer = await api.call("POST", "/agents", {"name": "x" * size})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_the_body_of_a_stranger_is_not_looked_at(api: Api) -> None:
    del api.client.headers["Authorization"]
    for body in (b"[" * 100_000, b'{"name": "x"', b"[" + b"{}," * 500_000 + b"{}]"):
        answer = await api.call("POST", "/agents", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "MISSING_TOKEN")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_two_tokens_are_none(api: Api) -> None:
    headers = [("Authorization", f"Bearer {api.token}"), ("Authorization", f"Bearer {api.token}")]
    async with api.client as client:
        del client.headers["Authorization"]
        answer = await client.get("/v1/agents", headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Authorization")


async def test_every_answer_says_how_it_went_and_where_the_limit_is(api: Api) -> None:
    for path, status in (("/agents", 200), (f"/agents/{uuid7()}", 403)):
        answer = await api.call("GET", path)
        assert answer.status_code == status
        for header in ("x-request-id", "x-trace-id", "x-response-time", "x-ratelimit-limit"):
            assert header in answer.headers, (path, header)


async def test_no_answer_may_be_kept_by_whoever_passes_it_on(api: Api) -> None:
    created = await api.call("POST", "/tokens", {"name": "x", "permissions": ["chat"]})
    assert created.headers["cache-control"] == "no-store"


async def test_a_body_that_stops_short_ends_the_connection_alone(api: Api) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", api.service.port)
    writer.write(
        f"POST /v1/agents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\n"
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"name": '.encode()
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert len(await api.every("/agents")) == 1
