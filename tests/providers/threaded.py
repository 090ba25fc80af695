"""A stub provider on a thread of its own, driven from tests that block."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .behaviours import Behaviour
from .exchange import Exchange, Request

if TYPE_CHECKING:
    from .stub import StubProvider

T = TypeVar("T")

# Seconds after which a test that waits for the stub has failed.
PATIENCE = 20.0


class ThreadedStub:
    """The face of a ``StubProvider`` for other threads: each call runs on the stub's own loop."""

    def __init__(self, provider: "type[StubProvider]") -> None:
        self._provider = provider
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stub-provider", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._stub = self._run(self._make())
        self.url = self._stub.url
        self.base_url = self._stub.base_url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._run(self._stub.__aexit__(kind, error, trace))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every exchange so far; read them, and leave their coroutines alone."""
        return self._stub.exchanges

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request so far, oldest first."""
        return self._stub.requests

    @property
    def connections(self) -> int:
        """How many connections have been accepted."""
        return self._stub.connections

    def on(self, model: str, behaviour: Behaviour) -> None:
        """See ``StubProvider.on``."""
        self._run(self._call(lambda: self._stub.on(model, behaviour)))

    def on_path(self, path: str, behaviour: Behaviour) -> None:
        """See ``StubProvider.on_path``."""
        self._run(self._call(lambda: self._stub.on_path(path, behaviour)))

    def script(self, *sequence: Behaviour) -> None:
        """See ``StubProvider.script``."""
        self._run(self._call(lambda: self._stub.script(*sequence)))

    def step(self, count: int = 1) -> None:
        """Let ``count`` waits pass the gate."""
        self._run(self._call(lambda: self._stub.gate.step(count)))

    def open_gate(self) -> None:
        """Let every wait pass the gate, now and later."""
        self._run(self._call(self._stub.gate.open))

    def stop(self) -> None:
        """See ``StubProvider.stop``."""
        self._run(self._stub.stop())

    def start(self) -> None:
        """See ``StubProvider.start``."""
        self._run(self._stub.start())

    def exchange(self, index: int = 0, timeout: float = PATIENCE) -> Exchange:
        """Wait for the exchange with this index; raises TimeoutError after ``timeout`` seconds."""
        return self._run(self._stub.exchange(index), timeout)

    def wait_aborted(self, index: int = 0, timeout: float = PATIENCE) -> Exchange:
        """Wait until the client has hung up on the exchange with this index."""
        return self._run(self._until(lambda exchange: exchange.aborted, index), timeout)

    def wait_finished(self, index: int = 0, timeout: float = PATIENCE) -> Exchange:
        """Wait until the exchange with this index has been answered."""
        return self._run(self._until(lambda exchange: exchange.finished, index), timeout)

    async def _make(self) -> "StubProvider":
        return await self._provider().start()

    async def _until(self, event: Callable[[Exchange], asyncio.Event], index: int) -> Exchange:
        exchange = await self._stub.exchange(index)
        await event(exchange).wait()
        return exchange

    async def _call(self, function: Callable[[], None]) -> None:
        function()

    def _run(self, coroutine: Coroutine[Any, Any, T], timeout: float = PATIENCE) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise
