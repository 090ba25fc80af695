"""The parts of `proxy`."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from ibex.app.auth import AuthParts
from ibex.app.context import ContextParts
from ibex.app.shared import USER_AGENT, Connections, Shared
from ibex.archive import ContentLog
from ibex.http import Routes
from ibex.proxy import (
    Admission,
    Bounds,
    Caller,
    CallTraces,
    ContextStep,
    IdempotencyKeys,
    KeyChoice,
    ModelList,
    Pipeline,
    Recorder,
    Router,
    Transcript,
    Upstream,
    build_upstreams,
    endpoints,
)
from ibex.settings import Settings
from ibex.storage import Stores, connect_single
from ibex.traces import Backlog, BacklogWatch, TraceLog, TraceStream

# For a command to the stream of traces (seconds); nobody waits for it.
_QUEUE_PATIENCE = 2.0


class ProxyParts:
    """Calls of models: from admission to the provider and back, and the traces that are kept of them."""

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        stores: Stores,
        shared: Shared,
        auth: AuthParts,
        context: ContextParts,
        contents: ContentLog,
    ) -> None:
        self._shared, instruments = shared, shared.instruments
        self._queue = connect_single(connections.queue_url(settings), timeout=_QUEUE_PATIENCE)
        stream = TraceStream(self._queue, longest=settings.trace_backlog)
        self._trace_log = TraceLog(
            stream,
            capacity=settings.turn_buffer,
            dropped=lambda n: instruments.rows_dropped.add("trace", amount=n),
        )
        self._traces = CallTraces(self._trace_log, context.cost)
        self._backlog = BacklogWatch(stream, self._show)
        self._upstreams = build_upstreams(settings.providers, USER_AGENT)
        self._router = _router(settings, self._upstreams)
        self._admission = Admission(
            auth.validator, auth.limiter, auth.limit_book, instruments, auth.refusals.add, auth.held_off
        )
        idempotency = IdempotencyKeys(
            stores.redis,
            timeout=settings.redis_timeout_seconds,
            keep=settings.idempotency_hours * 3_600,
            limit=settings.idempotency_limit_bytes,
        )
        step = ContextStep(context.assembler, context.usage, context.receipts, context.learning, instruments)
        self._recorder = Recorder(
            traces=self._traces,
            transcript=Transcript(contents),
            context=step,
            idempotency=idempotency,
            instruments=instruments,
            access_log=shared.access_log,
            tracing=shared.spans,
        )
        self._pipeline = Pipeline(
            admission=self._admission,
            idempotency=idempotency,
            context=step,
            router=self._router,
            keys=KeyChoice(auth.organization_keys),
            caller=Caller(lambda provider, outcome: instruments.attempts.add(provider, outcome)),
            recorder=self._recorder,
            deadlines=shared.deadlines,
            instruments=instruments,
            bounds=Bounds(
                settings.body_limit_bytes, settings.body_timeout_seconds, settings.response_limit_bytes
            ),
            client_address=shared.client_address,
            docs_base_url=settings.url,
        )

    def routes(self, settings: Settings) -> Routes:
        return endpoints.routes(
            self._pipeline,
            ModelList(self._router, self._upstreams),
            self._admission,
            self._recorder,
            client_address=self._shared.client_address,
            message_limit=settings.message_limit,
            docs_base_url=settings.url,
        )

    def start(self, running: AsyncExitStack) -> None:
        for upstream in self._upstreams.values():
            running.push_async_callback(upstream.provider.close)
        running.push_async_callback(self._queue.aclose)
        self._backlog.start()
        running.push_async_callback(self._backlog.stop)
        self._trace_log.start()
        running.push_async_callback(self._trace_log.close, within=5.0)
        self._traces.start()
        running.push_async_callback(self._traces.close, within=2.0)
        running.push_async_callback(self._recorder.close)

    def flush(self) -> None:
        instruments = self._shared.instruments
        instruments.rows_waiting.set("trace", value=len(self._trace_log))
        for name, upstream in self._upstreams.items():
            instruments.breaker_open.set(name, value=float(upstream.breaker.is_open))

    def _show(self, backlog: Backlog | None) -> None:
        shown = self._shared.instruments
        shown.traces_waiting.set(None if backlog is None else backlog.traces)
        shown.traces_oldest.set(None if backlog is None else backlog.age)


def dead_ends(settings: Settings) -> list[tuple[str, str]]:
    """Aliases with a model that no provider serves, each with that model."""
    return _router(settings, build_upstreams(settings.providers, USER_AGENT)).dead_ends()


def _router(settings: Settings, upstreams: Mapping[str, Upstream]) -> Router:
    models = {name: provider.models for name, provider in settings.providers.items()}
    return Router(upstreams, models, settings.aliases)
