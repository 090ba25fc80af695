"""One web process: an event loop that serves the shared socket until it is told to drain."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
import uvloop

from ibex.app import Connections, build
from ibex.context.tokens import Vocabulary
from ibex.serving.protocol import MOST_CONNECTIONS, bounded_protocol
from ibex.serving.supervisor import Place
from ibex.settings import Settings
from ibex.telemetry import Instruments

_KEEP_ALIVE = 75
# A request makes hundreds of objects and next to no cycles; the default of 700 collects twice per request.
_GC_THRESHOLD = (25_000, 20, 20)
_HEADER_SECONDS = 10.0
# More than enough for what has arrived to be read (seconds).
_LAST_CALL = 0.1
# Once the supervisor is dead nobody waits for answers in flight any more than this (seconds).
_ORPHAN_GRACE = 2


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets nobody in any more, and answers those who were let in just before.

        What they have sent may not have been read yet, and to close on them then would reset the connection.
        """
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        await asyncio.sleep(_LAST_CALL)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled by `serve`, which exits with 0 after a drain that was asked for."""
        yield


def serve(
    settings: Settings,
    connections: Connections,
    instruments: Instruments,
    vocabulary: Vocabulary,
    listening: socket.socket,
    place: Place,
) -> None:
    """Serve until SIGTERM, then finish what is in flight and return.

    Parameters
    ----------
    vocabulary: what tokens are counted with.
    listening: the socket all web processes accept from; what one of them has not accepted, another will.
    place: this process among the supervisor's.
    """
    gc.set_threshold(*_GC_THRESHOLD)
    config = uvicorn.Config(
        build(settings, connections, instruments, vocabulary),
        http=bounded_protocol(
            header_bytes=settings.header_limit_bytes,
            header_seconds=_HEADER_SECONDS,
            docs_base_url=settings.url,
            most_connections=MOST_CONNECTIONS,
        ),
        loop="none",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=int(settings.shutdown_seconds) or 1,
    )
    server = _Server(config, place.ready)

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def drain() -> None:
            server.should_exit = True

        def orphaned() -> None:
            loop.remove_reader(place.lifeline)
            config.timeout_graceful_shutdown = _ORPHAN_GRACE
            # The kernel sees to it, even when the loop is held up.
            signal.alarm(_ORPHAN_GRACE + 1)
            drain()

        loop.add_signal_handler(signal.SIGTERM, drain)
        loop.add_reader(place.lifeline, orphaned)
        await server.serve(sockets=[listening])

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
