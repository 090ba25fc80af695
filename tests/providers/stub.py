"""A scriptable provider on a loopback port, which speaks OpenAI's dialect and Anthropic's."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from . import messages, payloads
from .behaviours import Behaviour, ordinary, status
from .catalogue import catalogue
from .connection import Connection
from .exchange import Exchange, Request
from .gate import Gate
from .threaded import ThreadedStub


class StubProvider:
    """An upstream whose behaviour the test chooses, and which remembers what it was sent.

    The behaviour of a chat request is, in this order: the next one of ``script``; the one ``on`` registered
    for its model; the catalogue's one for its model; ``otherwise``.

    >>> async with StubProvider() as stub:
    ...     stub.on("gpt-4o-mini", behaviours.break_mid_line)
    ...     await call_the_gateway(upstream=stub.base_url)
    ...     assert stub.requests[0].header("authorization") == "Bearer sk-upstream"
    """

    def __init__(self) -> None:
        self.gate = Gate()
        self.otherwise: Behaviour = ordinary
        self._models = catalogue()
        self._messages: dict[str, Behaviour] = {}
        self._paths: dict[str, Behaviour] = {"/models": self._list_models, "/embeddings": _embed}
        self._script: deque[Behaviour] = deque()
        self._exchanges: list[Exchange] = []
        self._arrival = asyncio.Event()
        self._connections: list[Connection] = []
        self._server: asyncio.Server | None = None
        self.port = 0  # Any free one, until it listens.

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        failures = [connection.failure for connection in self._connections if connection.failure]
        if failures and error is None:
            raise failures[0]

    async def start(self) -> Self:
        """Listen; after ``stop``, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Refuse new connections, and drop the open ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await asyncio.gather(*(connection.shut_down() for connection in self._connections))

    @classmethod
    def run_in_thread(cls) -> ThreadedStub:
        """A context manager that runs a stub on a thread of its own, for tests that block."""
        return ThreadedStub(cls)

    @property
    def url(self) -> str:
        """Where the stub listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What belongs into ``OPENAI_BASE_URL``."""
        return f"{self.url}/v1"

    def on(self, model: str, behaviour: Behaviour) -> None:
        """Answer chat requests for ``model`` with ``behaviour``."""
        self._models[model] = behaviour

    def on_messages(self, model: str, behaviour: Behaviour) -> None:
        """Answer requests for ``model`` in Anthropic's dialect with ``behaviour``."""
        self._messages[model] = behaviour

    def on_path(self, path: str, behaviour: Behaviour) -> None:
        """Answer every request whose path ends in ``path`` (say ``/embeddings``) with ``behaviour``."""
        self._paths[path] = behaviour

    def script(self, *sequence: Behaviour) -> None:
        """Answer the next chat requests with these behaviours, whatever their model."""
        self._script.extend(sequence)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every exchange so far, oldest first."""
        return tuple(self._exchanges)

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request so far, oldest first."""
        return tuple(exchange.request for exchange in self._exchanges)

    @property
    def connections(self) -> int:
        """How many connections have been accepted."""
        return len(self._connections)

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return sum(not connection.closed.is_set() for connection in self._connections)

    async def exchange(self, index: int = 0) -> Exchange:
        """The exchange with this index, as soon as its request has arrived."""
        while len(self._exchanges) <= index:
            await self._arrival.wait()
        return self._exchanges[index]

    def _accept(self) -> Connection:
        connection = Connection(len(self._connections) + 1, self.gate, self._choose)
        self._connections.append(connection)
        return connection

    def _choose(self, exchange: Exchange) -> Behaviour:
        self._exchanges.append(exchange)
        self._arrival.set()
        self._arrival = asyncio.Event()
        path = urlsplit(exchange.request.path).path
        if path.endswith("/chat/completions"):
            if self._script:
                return self._script.popleft()
            return self._models.get(exchange.request.model, self.otherwise)
        if path.endswith("/messages"):
            return self._messages.get(exchange.request.model, messages.ordinary)
        return next((self._paths[end] for end in self._paths if path.endswith(end)), status(404))

    async def _list_models(self, exchange: Exchange) -> None:
        names = ["gpt-4o-mini", *self._models]
        await exchange.respond(payloads.encode(payloads.models(names)))


async def _embed(exchange: Exchange) -> None:
    fields = exchange.request.json()
    count = len(fields["input"]) if isinstance(fields["input"], list) else 1
    await exchange.respond(payloads.encode(payloads.embeddings(exchange.request.model, count)))
