"""The composition root: the one file that knows every module."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import ibex
from ibex.auth import AuditEvent, AuditTrail, ChangeFeed, RateLimiter, RateLimits, TokenValidator
from ibex.http import Edge
from ibex.proxy import (
    Admission,
    Bounds,
    Caller,
    Deadlines,
    IdempotencyKeys,
    ModelList,
    Pipeline,
    Recorder,
    Router,
    TurnLog,
    Upstream,
    build_upstreams,
    end_idle_sessions,
)
from ibex.proxy import endpoints as proxy_endpoints
from ibex.settings import Settings
from ibex.storage import DatabaseUnavailableError, Postgres, Redis, connect, connect_single
from ibex.telemetry import AccessLog, Instruments, tracing
from ibex.telemetry import endpoints as telemetry_endpoints
from ibex.telemetry.endpoints import Dependency
from ibex.workers import PeriodicJob

_FLUSH_EVERY = 0.25
# Each command on the request path has a deadline of its own; this only frees a connection that hangs.
_REDIS_PATIENCE = 2.0
_WARM_UP = 2.0
_USER_AGENT = f"ibex/{ibex.__version__}"


@dataclass(frozen=True, slots=True)
class Connections:
    """Where the data is, and the secret under which tokens are stored."""

    postgres_dsn: str
    redis_url: str
    pepper: bytes


def build(settings: Settings, connections: Connections, instruments: Instruments) -> Edge:
    """The web application of one process. Nothing connects before the server's start-up."""
    postgres = Postgres(connections.postgres_dsn, connections=settings.postgres_connections)
    redis = connect(connections.redis_url, timeout=_REDIS_PATIENCE)
    listener = connect_single(connections.redis_url, timeout=_REDIS_PATIENCE)
    access_log = AccessLog(enabled=settings.access_log)
    spans = tracing(settings.otlp_endpoint)

    audit = AuditTrail(postgres, dropped=lambda n: instruments.rows_dropped.add("audit", amount=n))
    turns = TurnLog(
        postgres,
        capacity=settings.turn_buffer,
        dropped=lambda n: instruments.rows_dropped.add("turn", amount=n),
    )
    feed = ChangeFeed(listener, lambda change: validator.forget(change))
    validator = TokenValidator(
        postgres,
        connections.pepper,
        cache_seconds=settings.token_cache_seconds,
        timeout=settings.auth_timeout_seconds,
        feed_is_live=lambda: feed.is_live,
    )
    limiter = RateLimiter(
        redis,
        process_id=f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",
        timeout=settings.redis_timeout_seconds,
        on_fallback=lambda org_id: audit.add(AuditEvent(org_id, "system", "limits.fallback", "degraded")),
    )
    idempotency = IdempotencyKeys(
        redis,
        timeout=settings.redis_timeout_seconds,
        keep=settings.idempotency_hours * 3_600,
        limit=settings.idempotency_limit_bytes,
    )
    upstreams = build_upstreams(settings.providers, _USER_AGENT)
    router = _router(settings, upstreams)
    recorder = Recorder(
        turns=turns, idempotency=idempotency, instruments=instruments, access_log=access_log, tracing=spans
    )
    deadlines = Deadlines()
    limits = settings.limits
    admission = Admission(
        validator,
        limiter,
        RateLimits(limits.token_rpm, limits.agent_rpm, limits.organization_rpm),
        instruments,
    )
    pipeline = Pipeline(
        admission=admission,
        idempotency=idempotency,
        router=router,
        caller=Caller(lambda provider, outcome: instruments.attempts.add(provider, outcome)),
        recorder=recorder,
        deadlines=deadlines,
        instruments=instruments,
        bounds=Bounds(
            settings.body_limit_bytes, settings.body_timeout_seconds, settings.response_limit_bytes
        ),
        docs_base_url=settings.url,
    )

    def flush() -> None:
        access_log.flush()
        instruments.rows_waiting.set("turn", value=len(turns))
        instruments.rows_waiting.set("audit", value=len(audit))
        for name, upstream in upstreams.items():
            instruments.breaker_open.set(name, value=float(upstream.breaker.is_open))

    flusher = _Repeated(flush, _FLUSH_EVERY)

    async def startup() -> None:
        await postgres.open()
        # The first request should not pay for the first connection; without a database IBEX starts anyway.
        with suppress(DatabaseUnavailableError, TimeoutError):
            async with asyncio.timeout(_WARM_UP):
                await postgres.ping()
        for part in (audit, turns, feed, limiter, deadlines, flusher):
            part.start()
        instruments.processes.add()

    async def shutdown() -> None:
        """What is buffered is written before what it is written to is closed."""
        await recorder.close()
        await turns.close(within=5.0)
        await audit.close(within=2.0)
        await limiter.stop()
        await feed.stop()
        await deadlines.stop()
        await flusher.stop()
        for upstream in upstreams.values():
            await upstream.provider.close()
        await listener.aclose()
        await redis.aclose()
        await postgres.close()
        spans.close()
        instruments.processes.add(amount=-1.0)

    return Edge(
        {
            **proxy_endpoints.routes(
                pipeline,
                ModelList(router, upstreams),
                admission,
                recorder,
                message_limit=settings.message_limit,
                docs_base_url=settings.url,
            ),
            **telemetry_endpoints.routes(
                instruments.metrics, _dependencies(postgres, redis, settings), ibex.__version__
            ),
        },
        docs_base_url=settings.url,
        refused=lambda status: instruments.count_request("other", status),
        startup=startup,
        shutdown=shutdown,
    )


def dead_ends(settings: Settings) -> list[tuple[str, str]]:
    """Aliases with a model that no provider serves, each with that model."""
    return _router(settings, build_upstreams(settings.providers, _USER_AGENT)).dead_ends()


def _router(settings: Settings, upstreams: Mapping[str, Upstream]) -> Router:
    models = {name: provider.models for name, provider in settings.providers.items()}
    return Router(upstreams, models, settings.aliases)


def periodic_jobs(postgres: Postgres, *, idle: timedelta) -> list[PeriodicJob]:
    """What is to be done once a minute by one of the workers."""
    return [PeriodicJob("session.end_idle", lambda: end_idle_sessions(postgres, idle))]


def _dependencies(postgres: Postgres, redis: Redis, settings: Settings) -> list[Dependency]:
    async def check_postgres() -> str:
        await postgres.ping()
        return "connected"

    async def check_redis() -> str:
        await redis.ping()
        return "connected"

    def check_provider(text: str) -> Callable[[], "asyncio.Future[str]"]:
        def check() -> "asyncio.Future[str]":
            state: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            state.set_result(text)
            return state

        return check

    providers = [
        Dependency(
            f"provider:{name}",
            check_provider("built in" if p.kind == "mock" else f"configured: {urlsplit(p.base_url).netloc}"),
            is_required=False,
            when_away="",
        )
        for name, p in settings.providers.items()
    ]
    return [
        Dependency("postgres", check_postgres, True, "tokens that are not cached are refused with 503"),
        Dependency("redis", check_redis, False, "limits are counted per process, conservatively"),
        *providers,
    ]


class _Repeated:
    """Calls a function every so often."""

    def __init__(self, function: Callable[[], None], every: float) -> None:
        self._function = function
        self._every = every
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="flush")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._function()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            self._function()
