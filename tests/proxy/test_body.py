"""Bodies that cannot be accepted get an answer that says why, and the next request is served."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.proxy.asking import CHAT, assert_refused, assert_still_works, chat, chat_bytes
from tests.proxy.conftest import Standing
from tests.proxy.wire import connect, head, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"body_timeout_seconds": 2.0}
LIMIT = 1 << 20
JSON = {"Content-Type": "application/json"}
HELLO = {"role": "user", "content": "hello"}


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    reached = len(standing.stub.exchanges)
    yield
    assert len(standing.stub.exchanges) == reached, "a provider was asked"
    await assert_still_works(standing.service)


async def assert_body_refused(
    standing: Standing, body: bytes, code: str, says: str, param: str | None = None, status: int = 400
) -> None:
    async with standing.service.http() as client:
        response = await client.post(CHAT, content=body, headers=JSON)
    assert_refused(response, status, code, says, param)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"hello", "line 1, column 1"),
        (b'{"model": "gpt-4o-mini",', "not valid JSON"),
        (b'{"model": "gpt-4o-mini"} {}', "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"7", "must be a JSON object"),
        (chat_bytes(note="*").replace(b"*", b"\xff\xfe"), "UTF-8"),
        (chat_bytes(note="*").replace(b"*", b"\\ud800"), "surrogate"),
        (chat_bytes(note="*").replace(b"*", b"\xed\xa0\x80"), "UTF-8"),
        (chat_bytes(temperature=0).replace(b": 0}", b": NaN}"), "not valid JSON"),
        (chat_bytes(temperature=0).replace(b": 0}", b": 1e999}"), "infinity"),
        (chat_bytes().decode().encode("utf-16"), "not valid JSON"),
        (b"\x00", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "not valid JSON"),
        # Can be read, but not written again.
        (chat_bytes(tools="*").replace(b'"*"', b"[" * 500 + b"]" * 500), "nested too deeply"),
    ],
)
async def test_what_is_no_json_object_is_refused(standing: Standing, body: bytes, says: str) -> None:
    await assert_body_refused(standing, body, "INVALID_JSON", says)


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"model": 7}, "model", "text"),
        ({"model": None}, "model", "text"),
        ({"model": ""}, "model", "text"),
        ({"model": "   "}, "model", "text"),
        ({"model": ["gpt-4o-mini"]}, "model", "text"),
        ({"model": "m" * 257}, "model", "256"),
        ({"model": "m" * 500_000}, "model", "256"),
        ({"model": "gpt\n4"}, "model", "printable"),
        ({"model": "gpt\x00"}, "model", "printable"),
        ({"model": "gpt\u202e4"}, "model", "printable"),
        ({"messages": None}, "messages", "one message"),
        ({"messages": []}, "messages", "one message"),
        ({"messages": {}}, "messages", "list"),
        ({"messages": "hello"}, "messages", "list"),
        ({"messages": [HELLO] * 10_000}, "messages", "10000 messages; 2048 are accepted"),
        ({"messages": [HELLO, "hello"]}, "messages.1", "object"),
        ({"messages": [HELLO, None]}, "messages.1", "object"),
        ({"messages": [{"content": "hello"}]}, "messages.0.role", "role"),
        ({"messages": [{"role": 1}]}, "messages.0.role", "role"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"stream": 1}, "stream", "true or false"),
        ({"user": "u" * 257}, "user", "256"),
        ({"user": "u\x00"}, "user", "NUL"),
    ],
)
async def test_a_field_that_cannot_be_accepted_is_named(
    standing: Standing, fields: dict[str, Any], param: str, says: str
) -> None:
    body = json.dumps({**chat(), **fields}).encode()
    await assert_body_refused(standing, body, "VALIDATION_ERROR", says, param)


async def test_a_body_without_a_model_or_messages_names_both(standing: Standing) -> None:
    async with standing.service.http() as client:
        response = await client.post(CHAT, json={})
    assert_refused(response, 400, "VALIDATION_ERROR", "`messages`", "model")
    assert [problem["field"] for problem in response.json()["error"]["field_errors"]] == ["model", "messages"]


@pytest.mark.parametrize("field", ["model", "messages"])
async def test_of_a_field_given_twice_the_last_is_checked(standing: Standing, field: str) -> None:
    doubled = chat_bytes()[:-1] + f', "{field}": 7}}'.encode()
    await assert_body_refused(standing, doubled, "VALIDATION_ERROR", field, field)


async def test_a_body_with_too_great_a_length_is_refused_before_it_is_sent(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, f"Content-Length: {LIMIT + 1}"))
        answer = await wire.answer()
    assert (answer.status, answer.error["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert str(LIMIT) in answer.error["message"]


async def test_a_body_that_grows_too_large_in_chunks_is_refused(standing: Standing) -> None:
    chunk = b"%x\r\n%b\r\n" % (32 << 10, b" " * (32 << 10))
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, "Transfer-Encoding: chunked"), *[chunk] * 33)
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (413, "PAYLOAD_TOO_LARGE")
        # What is left of it is read and forgotten, and the connection is good for another request.
        await wire.send(*[chunk] * 33, b"0\r\n\r\n", post(standing.service, b"{}"))
        assert (await wire.answer()).status == 400


async def test_a_body_at_the_limit_is_read(standing: Standing) -> None:
    body = chat_bytes(model="")
    padded = body + b" " * (LIMIT - len(body))
    await assert_body_refused(standing, padded, "VALIDATION_ERROR", "model", "model")
    await assert_body_refused(standing, padded + b" ", "PAYLOAD_TOO_LARGE", "larger", status=413)


@pytest.mark.parametrize(
    ("headers", "param", "says"),
    [
        ({"Content-Type": "text/plain"}, "Content-Type", "text/plain"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "Content-Type", "form"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "Content-Type", "multipart"),
        ({"Content-Type": ""}, "Content-Type", "none"),
        ({**JSON, "Content-Encoding": "gzip"}, "Content-Encoding", "gzip"),
        ({**JSON, "Content-Encoding": "deflate, br"}, "Content-Encoding", "deflate"),
    ],
)
async def test_only_plain_json_is_taken(
    standing: Standing, headers: dict[str, str], param: str, says: str
) -> None:
    async with standing.service.http() as client:
        response = await client.post(CHAT, content=chat_bytes(), headers=headers)
    assert_refused(response, 415, "UNSUPPORTED_MEDIA_TYPE", says, param)


async def test_a_body_that_is_cut_off_leaves_nothing_behind(standing: Standing) -> None:
    body = chat_bytes()
    cut = head(standing.service, f"Content-Length: {len(body)}") + body[:-10]
    async with connect(standing.service) as wire:
        await wire.send(cut)
        wire.reset()
    async with connect(standing.service) as wire:
        await wire.send(cut)
        wire.end_of_file()
        assert await wire.is_closed()


async def test_a_body_that_comes_too_slowly_is_given_up(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, "Content-Length: 100"), b'{"model": ')
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (408, "REQUEST_TIMEOUT")
        assert "2 s" in answer.error["message"]
        assert answer.headers["connection"] == "close"
        assert await wire.is_closed()


async def test_chunks_that_are_none_are_refused(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, "Transfer-Encoding: chunked"), b"rubbish\r\n{}\r\n0\r\n\r\n")
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (400, "INVALID_REQUEST")
        assert await wire.is_closed()


async def test_a_length_and_chunks_at_once_are_refused(standing: Standing) -> None:
    both = head(standing.service, "Transfer-Encoding: chunked", "Content-Length: 5")
    async with connect(standing.service) as wire:
        await wire.send(both + b"0\r\n\r\n")
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (400, "INVALID_REQUEST")
