"""One request gets one answer, and no client keeps a connection for nothing."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ibex.serving.protocol import BoundedHttpProtocol
from tests.faults.waiting import until
from tests.proxy.asking import CHAT, assert_still_works, chat_bytes
from tests.proxy.conftest import Standing
from tests.proxy.wire import Wire, connect, head, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB")
SMUGGLED = b"GET /health HTTP/1.1\r\nHost: ibex\r\n\r\n"
PATIENCE = 0.5


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)


@pytest.fixture
def protocol(standing: Standing) -> type[BoundedHttpProtocol]:
    """The class of the running server's connections."""
    configured = standing.service.server.config.http_protocol_class
    assert issubclass(configured, BoundedHttpProtocol)
    return configured


@pytest.fixture
def impatient(protocol: type[BoundedHttpProtocol], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "header_seconds", PATIENCE)


@pytest.fixture
def received(protocol: type[BoundedHttpProtocol], monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the server has read since, piece by piece."""
    pieces: list[bytes] = []
    read = protocol.data_received

    def noted(connection: BoundedHttpProtocol, data: bytes) -> None:
        pieces.append(data)
        read(connection, data)

    monkeypatch.setattr(protocol, "data_received", noted)
    return pieces


async def assert_nothing_is_left(standing: Standing, wire: Wire) -> None:
    """The next request gets the next answer, and it is the last."""
    await wire.send(head(standing.service, "Connection: close", method="GET", path="/errors/NOT_FOUND"))
    answer = await wire.answer()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
    assert await wire.is_closed()


@pytest.mark.parametrize("connection", ["Upgrade", "close, Upgrade", "keep-alive, upgrade"])
@pytest.mark.parametrize("apart", [True, False])
async def test_the_body_of_a_request_to_upgrade_is_not_taken_for_a_request(
    standing: Standing, received: list[bytes], connection: str, apart: bool
) -> None:
    asked = head(
        standing.service,
        f"Connection: {connection}",
        "Upgrade: h2c",
        f"Content-Length: {len(SMUGGLED)}",
        path="/nowhere",
    )
    async with connect(standing.service) as wire:
        if apart:
            await wire.send(asked)
            await until(lambda: b"".join(received) == asked)
            await wire.send(SMUGGLED)
        else:
            await wire.send(asked + SMUGGLED)
        assert (await wire.answer()).status == 404
        if "close" in connection:
            assert await wire.is_closed()
        else:
            await assert_nothing_is_left(standing, wire)


async def test_a_request_to_upgrade_is_served_without(standing: Standing, received: list[bytes]) -> None:
    whole = post(standing.service, chat_bytes("upgraded"), *UPGRADE)
    async with connect(standing.service) as wire:
        for cut in (len(whole), 40, whole.index(b"h2c") + 1, whole.index(b"\r\n\r\n") + 4, len(whole) - 5):
            received.clear()
            await wire.send(whole[:cut])
            await until(lambda first=whole[:cut]: b"".join(received) == first)  # type: ignore[misc]
            await wire.send(whole[cut:])
            answer = await wire.answer()
            assert (answer.status, b'"model":"upgraded"' in answer.body) == (200, True)
        await assert_nothing_is_left(standing, wire)


async def test_a_request_to_upgrade_may_come_in_chunks(standing: Standing) -> None:
    body = chat_bytes("chunked")
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, *UPGRADE, "Transfer-Encoding: chunked"))
        await wire.send(b"%x\r\n%b\r\n" % (len(body), body), b"0\r\n\r\n")
        assert (await wire.answer()).status == 200
        await assert_nothing_is_left(standing, wire)


async def test_a_request_to_upgrade_may_ask_first(standing: Standing) -> None:
    body = chat_bytes()
    async with connect(standing.service) as wire:
        asked = head(standing.service, *UPGRADE, "Expect: 100-continue", f"Content-Length: {len(body)}")
        await wire.send(asked)
        assert (await wire.head())[0] == 100
        await wire.send(body)
        assert (await wire.answer()).status == 200
        await assert_nothing_is_left(standing, wire)


async def test_requests_to_upgrade_that_come_together_are_answered_in_order(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(
            post(standing.service, chat_bytes("first"))
            + post(standing.service, chat_bytes("second"), *UPGRADE)
            + head(standing.service, *UPGRADE, method="GET", path="/health") * 200
            + post(standing.service, b"{}", *UPGRADE)
        )
        assert b'"model":"first"' in (await wire.answer()).body
        assert b'"model":"second"' in (await wire.answer()).body
        assert {(await wire.answer()).status for _ in range(200)} == {200}
        assert (await wire.answer()).status == 400
        await assert_nothing_is_left(standing, wire)


async def test_a_websocket_is_told_what_there_is(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(
            head(
                standing.service,
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                method="GET",
                path="/v1/realtime",
            )
        )
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (404, "NOT_FOUND")
        await assert_nothing_is_left(standing, wire)


@pytest.mark.parametrize("target", ["ibex:443", "http://ibex:443", "/health"])
async def test_a_tunnel_is_refused_and_nothing_in_it_answered(standing: Standing, target: str) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, method="CONNECT", path=target) + SMUGGLED)
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (400, "INVALID_REQUEST")
        assert await wire.is_closed()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("path", "content_type", "status"),
    [
        ("/nowhere", "application/json", 404),
        ("/health", "application/json", 405),
        (CHAT, "application/json", 413),
        (CHAT, "text/plain", 415),
    ],
)
async def test_what_is_left_of_a_body_after_its_answer_is_not_waited_for_forever(
    standing: Standing, path: str, content_type: str, status: int
) -> None:
    async with connect(standing.service) as wire:
        await wire.send(
            head(standing.service, "Content-Length: 2000000", path=path, content_type=content_type)
        )
        assert (await wire.answer()).status == status
        await assert_cut_off(wire, b" ")


@pytest.mark.usefixtures("impatient")
async def test_a_body_where_none_is_expected_is_not_waited_for_forever(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, "Content-Length: 2000000", method="GET", path="/health"))
        assert (await wire.answer()).status == 200
        await assert_cut_off(wire, b" ")


@pytest.mark.usefixtures("impatient")
async def test_what_is_left_of_a_body_may_come_in_time(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, "Content-Length: 4", path="/nowhere"))
        assert (await wire.answer()).status == 404
        for byte in b"body":
            await wire.send(bytes([byte]))
            await asyncio.sleep(PATIENCE / 10)
        await asyncio.sleep(PATIENCE * 1.5)
        await assert_nothing_is_left(standing, wire)


@pytest.mark.parametrize("after", [b"body", b"body\r\n"])
async def test_a_connection_that_is_idle_after_such_a_body_is_closed(
    standing: Standing, monkeypatch: pytest.MonkeyPatch, after: bytes
) -> None:
    monkeypatch.setattr(standing.service.server.config, "timeout_keep_alive", PATIENCE)
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, "Content-Length: 4", path="/nowhere"))
        assert (await wire.answer()).status == 404
        await wire.send(after[:1])
        await asyncio.sleep(0.05)
        await wire.send(after[1:])
        assert await wire.is_closed()


async def test_empty_lines_do_not_keep_an_idle_connection(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing.service.server.config, "timeout_keep_alive", PATIENCE)
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, method="GET", path="/health"))
        assert (await wire.answer()).status == 200
        await assert_cut_off(wire, b"\r\n")


async def test_an_idle_time_does_not_end_a_request_that_has_begun(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing.service.server.config, "timeout_keep_alive", PATIENCE)
    body = chat_bytes()
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, body))
        assert (await wire.answer()).status == 200
        # The rest of a body that nobody wanted, and the next request, in one.
        await wire.send(head(standing.service, "Content-Length: 4", path="/nowhere"))
        assert (await wire.answer()).status == 404
        whole = post(standing.service, body)
        await wire.send(b"body" + whole[:-5])
        await asyncio.sleep(PATIENCE * 2)
        await wire.send(whole[-5:])
        assert (await wire.answer()).status == 200


async def test_a_body_that_goes_wrong_after_its_answer_gets_no_second_one(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, "Transfer-Encoding: chunked", path="/nowhere"))
        assert (await wire.answer()).status == 404
        await wire.send(b"rubbish\r\n")
        assert await wire.is_closed()


async def test_a_body_that_goes_wrong_before_its_answer_gets_one(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(
            head(standing.service, "Transfer-Encoding: chunked", path="/nowhere") + b"rubbish\r\n"
        )
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (400, "INVALID_REQUEST")
        assert await wire.is_closed()


@pytest.mark.parametrize(
    "behind", [b"rubbish\r\n\r\n", b"GET http:// HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000]
)
async def test_what_is_wrong_behind_a_request_is_not_taken_for_its_answer(
    standing: Standing, behind: bytes
) -> None:
    reached = len(standing.stub.exchanges)
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes("slow-headers")))
        await until(lambda: len(standing.stub.exchanges) > reached)
        await wire.send(behind)
        assert await wire.is_closed()


async def test_what_is_wrong_with_a_request_that_waits_is_not_an_answer_to_the_one_before(
    standing: Standing,
) -> None:
    chunked = head(standing.service, "Transfer-Encoding: chunked")
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes("slow-headers")) + chunked + b"rubbish\r\n")
        assert await wire.is_closed()


@pytest.mark.usefixtures("impatient")
async def test_a_slow_head_behind_a_request_is_not_taken_for_its_answer(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes("slow-headers")))
        await wire.send(b"GET / HTTP/1.1\r\n")
        assert await wire.is_closed()


async def test_a_head_that_is_not_read_yet_is_not_slow(
    standing: Standing,
    protocol: type[BoundedHttpProtocol],
    received: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "header_seconds", 0.1)
    await until(lambda: standing.stub.gate.waiting == 0)
    slow, last = (
        post(standing.service, chat_bytes("slow-headers")),
        head(standing.service, method="GET", path="/nowhere"),
    )
    async with connect(standing.service) as wire:
        await wire.send(slow)
        await until(lambda: standing.stub.gate.waiting == 1)
        await wire.send(slow + last[:40])
        await until(lambda: b"".join(received).endswith(last[:40]))
        # Not read until the first is answered.
        await wire.send(last[40:])
        async with connect(standing.service) as late:
            # By the time that this one is refused, the other would have been.
            await late.send(last[:40])
            assert (await late.answer()).status == 408
        standing.stub.gate.step(2)
        assert [(await wire.answer()).status for _ in range(3)] == [200, 200, 404]


async def test_connections_beyond_the_most_are_closed(
    standing: Standing, protocol: type[BoundedHttpProtocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_connections = standing.service.server.server_state.connections
    await until(lambda: not open_connections)
    monkeypatch.setattr(protocol, "most_connections", 2)
    async with connect(standing.service) as first, connect(standing.service) as second:
        for wire in (first, second):
            await wire.send(head(standing.service, method="GET", path="/health"))
            assert (await wire.answer()).status == 200
        async with connect(standing.service) as third:
            assert await third.is_closed()
        await first.send(head(standing.service, method="GET", path="/health"))
        assert (await first.answer()).status == 200
        second.close()
        await until(lambda: len(open_connections) == 1)
        async with connect(standing.service) as fourth:
            await fourth.send(head(standing.service, method="GET", path="/health"))
            assert (await fourth.answer()).status == 200
    await until(lambda: not open_connections)


async def assert_cut_off(wire: Wire, trickle: bytes) -> None:
    """However often a little more is sent, the connection is closed, and about when it should be."""
    began = time.monotonic()
    closed = asyncio.ensure_future(wire.is_closed())
    while not closed.done() and time.monotonic() - began < 4 * PATIENCE:
        try:
            await wire.send(trickle)
        except ConnectionError:
            break
        await asyncio.sleep(PATIENCE / 10)
    took = time.monotonic() - began
    assert closed.done(), "it is still open"
    assert await closed
    assert took > PATIENCE / 2
