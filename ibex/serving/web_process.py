"""One web process: an event loop that serves the shared socket until it is told to drain."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
import uvloop

from ibex.app import Connections, build
from ibex.serving.protocol import bounded_protocol
from ibex.serving.supervisor import Place
from ibex.settings import Settings
from ibex.telemetry import Instruments

_KEEP_ALIVE = 75
_HEADER_SECONDS = 10.0
# Once the supervisor is dead nobody waits for answers in flight any more than this (seconds).
_ORPHAN_GRACE = 3.0


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled by `serve`, which exits with 0 after a drain that was asked for."""
        yield


def serve(
    settings: Settings,
    connections: Connections,
    instruments: Instruments,
    listening: socket.socket,
    place: Place,
) -> None:
    """Serve until SIGTERM, then finish what is in flight and return.

    Parameters
    ----------
    listening: the socket all web processes accept from; what one of them has not accepted, another will.
    place: this process among the supervisor's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config = uvicorn.Config(
        build(settings, connections, instruments),
        http=bounded_protocol(
            header_bytes=settings.header_limit_bytes,
            header_seconds=_HEADER_SECONDS,
            docs_base_url=settings.url,
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
            config.timeout_graceful_shutdown = int(_ORPHAN_GRACE)
            loop.call_later(_ORPHAN_GRACE + 1.0, os._exit, 1)
            drain()

        loop.add_signal_handler(signal.SIGTERM, drain)
        loop.add_reader(place.lifeline, orphaned)
        await server.serve(sockets=[listening])

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
