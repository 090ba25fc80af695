"""The web application of one process: what it is made of, what runs beside it, and how it ends."""

from contextlib import AsyncExitStack

import ibex
from ibex.app.archive import ArchiveParts
from ibex.app.auth import AuthParts
from ibex.app.context import ContextParts
from ibex.app.notifications import notification_routers
from ibex.app.proxy import ProxyParts
from ibex.app.queue import QueueParts
from ibex.app.readiness import dependencies
from ibex.app.shared import USER_AGENT, Connections, Shared
from ibex.app.traces import trace_dependencies, trace_routers, trace_store
from ibex.auth.rpc import Listener, rpc_server
from ibex.context.tokens import Vocabulary
from ibex.drift import DriftService
from ibex.drift import endpoints as drift_endpoints
from ibex.http import ClientAddress, Deadlines, Edge, parse_networks
from ibex.memory import MemoryParts
from ibex.memory import endpoints as memory_endpoints
from ibex.rest import RestApplication
from ibex.settings import Settings
from ibex.storage import Stores
from ibex.tasks import BackgroundTask, repeat, run_in_thread
from ibex.telemetry import AccessLog, Instruments, tracing
from ibex.telemetry import endpoints as telemetry_endpoints

_FLUSH_EVERY = 0.25
# Time for the last spans to leave at a stop.
_LAST_SPANS = 3.0


def build(
    settings: Settings, connections: Connections, instruments: Instruments, vocabulary: Vocabulary
) -> Edge:
    """The web application of one process. Nothing connects before the server's start-up.

    Tokens are estimated until the vocabulary is loaded.
    """
    stores = Stores.of(connections.postgres_dsn, connections.redis_url, settings.postgres_connections)
    shared = Shared(
        instruments,
        AccessLog(enabled=settings.access_log),
        tracing(settings.otlp_endpoint),
        Deadlines(),
        ClientAddress(parse_networks(settings.trusted_proxies)),
    )
    auth = AuthParts(settings, connections, stores, shared)
    memory = MemoryParts(
        settings, stores.looking_up, stores.writing, stores.redis, auth.administration.agents, USER_AGENT
    )
    context = ContextParts(settings, connections, stores, instruments, auth, memory, vocabulary)
    queue = QueueParts(settings, connections, stores, instruments, auth)
    traces = trace_store(settings, stores.looking_up)
    archive = ArchiveParts(settings, stores, instruments, auth)
    proxy = ProxyParts(settings, connections, stores, shared, auth, context, archive.log)
    rest = RestApplication(
        [
            *auth.routers(settings),
            *memory_endpoints.routers(memory.writer, memory.search, memory.lifecycle, auth.access),
            *trace_routers(traces, stores.looking_up, auth),
            *context.routers(),
            *archive.routers(),
            *queue.routers(),
            *drift_endpoints.routers(
                DriftService(stores.looking_up), auth.access, auth.administration.agents
            ),
            *notification_routers(settings, connections, stores, auth),
        ],
        version=ibex.__version__,
        recognise=auth.access.recognise,
        body_bytes=settings.body_limit_bytes,
        body_seconds=settings.body_timeout_seconds,
        client_address=shared.client_address,
        deadlines=shared.deadlines,
        instruments=instruments,
        access_log=shared.access_log,
        docs_base_url=settings.url,
    )

    def flush() -> None:
        for part in (shared.access_log, auth, context, archive, proxy):
            part.flush()

    flusher = BackgroundTask("flush", lambda: repeat(flush, _FLUSH_EVERY))
    running = AsyncExitStack()

    async def startup() -> None:
        """The stop goes backwards: what is buffered is written before what it is written to is closed."""
        running.push_async_callback(run_in_thread, shared.spans.close, within=_LAST_SPANS)
        await stores.open(running)
        running.callback(flush)
        for part in (flusher, shared.deadlines):
            part.start()
            running.push_async_callback(part.stop)
        auth.start(running)
        memory.start(running)
        context.start(running)
        archive.start(running)
        running.push_async_callback(traces.close)
        queue.start(running)
        proxy.start(running)
        await _serve_rpc(settings, stores, shared, auth, running)
        instruments.processes.add()
        running.callback(instruments.processes.add, amount=-1.0)

    return Edge(
        {
            **proxy.routes(settings),
            **telemetry_endpoints.routes(
                instruments.metrics,
                [
                    *dependencies(stores, settings),
                    *trace_dependencies(settings, traces),
                    *archive.dependencies(),
                    queue.dependency(),
                ],
                ibex.__version__,
                queue.observer.look,
            ),
        },
        rest,
        docs_base_url=settings.url,
        refused=lambda status: instruments.count_request("other", status),
        startup=startup,
        shutdown=running.aclose,
    )


async def _serve_rpc(
    settings: Settings, stores: Stores, shared: Shared, auth: AuthParts, running: AsyncExitStack
) -> None:
    listener = Listener.of(settings)
    if listener is None:
        return
    server = rpc_server(
        listener,
        validator=auth.validator,
        refused=auth.refusals.add,
        postgres=stores.looking_up,
        timeout=settings.auth_timeout_seconds,
        instruments=shared.instruments,
        access_log=shared.access_log,
    )
    await server.start()
    running.push_async_callback(server.stop)
