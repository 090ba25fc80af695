"""The HTTP client against a server that says exactly what a test wants it to."""

import asyncio
import gzip
import socket
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from ibex.http1 import Answer, BrokenAnswerError, HttpClient, UnreachableError
from tests.faults.waiting import until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(slots=True)
class Server:
    """Answers the n-th request with the n-th of `answers`, and the last one from then on; `None` hangs up."""

    answers: list[bytes | None]
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    gate: asyncio.Event | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                if self.gate is not None:
                    await self.gate.wait()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if b"Content-Length" not in answer and b"chunked" not in answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()
            writer.close()


Start = Callable[..., Awaitable[HttpClient]]


@asynccontextmanager
async def talking(*answers: bytes | None, connections: int = 4) -> AsyncIterator[tuple[Server, HttpClient]]:
    server = Server(list(answers))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    client = HttpClient(f"http://127.0.0.1:{server.port}/v1", connect_timeout=2.0, connections=connections)
    try:
        async with asyncio.timeout(20):
            yield server, client
    finally:
        client.close()
        listening.close()


async def post(client: HttpClient) -> Answer:
    return await client.send(client.head("POST", "/", {}), b"{}")


async def everything(answer: Answer) -> bytes:
    body = b""
    while chunk := await answer.read_chunk():
        body += chunk
    assert answer.is_complete
    return body


def compressed(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def test_a_request_is_sent_as_it_should_be() -> None:
    async with talking(OK) as (server, client):
        answer = await client.send(client.head("POST", "/chat", {"X-Once": "3"}), b"{}")
        assert (answer.status, await everything(answer)) == (200, b"ok")
        await client.send(client.head("GET", "/models", {}))
    lines = server.requests[0].split(b"\r\n")
    assert lines[0] == b"POST /v1/chat HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}".encode() in lines
    assert {b"X-Once: 3", b"Content-Length: 2"} <= set(lines)
    assert server.requests[0].endswith(b"\r\n\r\n{}")
    assert b"Content-Length" not in server.requests[1]


async def test_a_connection_is_used_again_and_again() -> None:
    async with talking(OK) as (server, client):
        for _ in range(50):
            assert await everything(await post(client)) == b"ok"
    assert server.connections == 1


async def test_many_requests_at_once_get_their_own_answers_over_few_connections() -> None:
    async with talking(OK, connections=4) as (server, client):

        async def ask() -> bytes:
            return await everything(await post(client))

        assert await asyncio.gather(*(ask() for _ in range(200))) == [b"ok"] * 200
    assert server.connections <= 4


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", b"old"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbye", b"bye"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", b""),
    ],
    ids=["chunked", "trailers", "until it hangs up", "http/1.0", "interim answers", "close", "no content"],
)
async def test_each_way_to_end_an_answer_is_understood(answer: bytes, body: bytes) -> None:
    async with talking(answer, OK) as (_, client):
        assert await everything(await post(client)) == body
        assert await everything(await post(client)) == b"ok"


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
async def test_a_compressed_answer_is_read(encoding: bytes) -> None:
    packed = gzip.compress(b"text") if encoding == b"gzip" else zlib.compress(b"text")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(packed))
    async with talking(head + packed) as (_, client):
        assert await everything(await post(client)) == b"text"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200",
        b"not http\r\n\r\nContent-Length",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length-Or-So: " + b"a" * 500_000,
    ],
    ids=["hangs up", "half a head", "nonsense", "unknown encoding", "upgrade", "huge head", "endless header"],
)
async def test_an_answer_without_a_head_to_be_had_is_broken_and_the_next_one_is_not(
    answer: bytes | None,
) -> None:
    async with talking(answer, OK) as (_, client):
        with pytest.raises(BrokenAnswerError):
            await everything(await post(client))
        assert await everything(await post(client)) == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        compressed(gzip.compress(b"text")[:-9]),
        compressed(gzip.compress(b"text") + gzip.compress(b"more")),
        compressed(gzip.compress(bytes(64 << 20))),
    ],
    ids=["bad chunk", "not gzip", "gzip cut short", "gzip twice", "gzip without end"],
)
async def test_a_body_that_breaks_is_broken(answer: bytes) -> None:
    async with talking(answer, OK) as (_, client):
        with pytest.raises(BrokenAnswerError):
            await everything(await post(client))
        assert await everything(await post(client)) == b"ok"


async def test_a_kept_connection_that_the_provider_closes_costs_nobody_a_request() -> None:
    async with talking(OK, None, OK) as (server, client):
        assert await everything(await post(client)) == b"ok"
        assert await everything(await post(client)) == b"ok"
    assert (server.connections, len(server.requests)) == (2, 3)


async def test_bytes_behind_an_answer_are_not_taken_for_the_next_one() -> None:
    smuggled = OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
    async with talking(smuggled, OK) as (server, client):
        assert await everything(await post(client)) == b"ok"
        assert await everything(await post(client)) == b"ok"
    assert server.connections == 2


async def test_what_stands_behind_a_body_is_no_header() -> None:
    trailed = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nContent-Type: x\r\n\r\n"
    async with talking(trailed) as (_, client):
        answer = await post(client)
        assert await everything(answer) == b"a"
    assert "Content-Type" not in answer.headers


async def test_a_body_that_ends_with_its_connection_is_broken_when_the_connection_breaks() -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
        await heard.wait()
        # Closed so, the connection ends with a reset.
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    heard = asyncio.Event()
    async with asyncio.timeout(20), await asyncio.start_server(break_off, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        client = HttpClient(f"http://127.0.0.1:{port}", connect_timeout=2.0, connections=1)
        answer = await post(client)
        assert await answer.read_chunk() == b"half of it"
        heard.set()
        with pytest.raises(BrokenAnswerError):
            await answer.read_chunk()
        assert not answer.is_complete


async def test_a_connection_goes_to_who_has_waited_longest() -> None:
    order: list[str] = []

    async def ask(name: str, times: int = 1) -> None:
        for _ in range(times):
            await everything(await post(client))
            order.append(name)

    async with talking(OK, connections=1) as (server, client):
        server.gate = asyncio.Event()
        insisting = asyncio.create_task(ask("insisting", times=10))
        await until(lambda: bool(server.requests))
        patient = [asyncio.create_task(ask(name)) for name in ("first", "second")]
        await asyncio.sleep(0)
        server.gate.set()
        await asyncio.gather(insisting, *patient)
    assert order[:4] == ["insisting", "first", "second", "insisting"]


async def test_nobody_is_left_waiting_for_a_client_that_is_closed() -> None:
    async with talking(OK, connections=1) as (server, client):
        server.gate = asyncio.Event()
        asking = asyncio.create_task(post(client))
        await until(lambda: bool(server.requests))
        waiting = asyncio.create_task(post(client))
        await asyncio.sleep(0)
        client.close()
        with pytest.raises(BrokenAnswerError):
            await asking
        with pytest.raises(UnreachableError):
            await waiting
        with pytest.raises(UnreachableError):
            await post(client)
        server.gate.set()
        await server.closed.wait()
    assert server.connections == 1


async def test_an_answer_that_is_given_up_ends_its_connection_only() -> None:
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    async with talking(endless, OK, connections=1) as (server, client):
        answer = await post(client)
        assert await answer.read_chunk() == b"abc"
        answer.close()
        await server.closed.wait()
        assert await everything(await post(client)) == b"ok"


async def test_who_stops_waiting_for_an_answer_frees_the_connection() -> None:
    async with talking(OK, connections=1) as (server, client):
        server.gate = asyncio.Event()
        asking = asyncio.create_task(post(client))
        waiting = asyncio.create_task(post(client))
        queued = asyncio.create_task(post(client))
        await until(lambda: bool(server.requests))
        waiting.cancel()
        asking.cancel()
        await asyncio.wait([asking, waiting])
        server.gate.set()
        assert await everything(await queued) == b"ok"


async def test_a_reader_that_is_slow_slows_the_server() -> None:
    size = 32 << 20
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            writer.write(b"x" * (1 << 16))
            await writer.drain()
            sent += 1 << 16
        writer.close()

    listening = await asyncio.start_server(pour, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = HttpClient(f"http://127.0.0.1:{port}", connect_timeout=2.0, connections=1)
    answer = await post(client)
    settled = -1
    while settled != sent:
        settled = sent
        for _ in range(1_000):
            await asyncio.sleep(0)
    assert sent < size // 2
    assert len(await everything(answer)) == size
    client.close()
    listening.close()


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with talking(OK) as (server, _):
        port = server.port
    client = HttpClient(f"http://127.0.0.1:{port}", connect_timeout=2.0, connections=1)
    for _ in range(3):
        with pytest.raises(UnreachableError):
            await post(client)


async def test_a_certificate_that_nobody_vouches_for_is_unreachable() -> None:
    async with talking(OK) as (server, _):
        client = HttpClient(f"https://127.0.0.1:{server.port}", connect_timeout=2.0, connections=1)
        with pytest.raises(UnreachableError) as caught:
            await post(client)
    assert isinstance(caught.value.__cause__, ssl.SSLError | OSError)


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\x00b"])
async def test_a_header_cannot_smuggle_another(value: str) -> None:
    client = HttpClient("http://127.0.0.1:9", connect_timeout=2.0, connections=1)
    with pytest.raises(ValueError, match="cannot be sent"):
        client.head("POST", "/", {"X-Value": value})
