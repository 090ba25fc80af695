"""The composition root: the one file that knows every module."""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import ibex
from ibex.auth import (
    Access,
    Administration,
    AuditEvent,
    AuditTrail,
    Change,
    ChangeFeed,
    KeyRing,
    LimitBook,
    LimitDefaults,
    OrganizationKeys,
    Principal,
    RateLimiter,
    RefusalAudit,
    TokenValidator,
)
from ibex.auth import endpoints as auth_endpoints
from ibex.auth.rpc import Listener, rpc_server
from ibex.http import ClientAddress, Deadlines, Edge, parse_networks
from ibex.memory import MemoryParts
from ibex.memory.embedding import readiness
from ibex.proxy import (
    Admission,
    Bounds,
    Caller,
    IdempotencyKeys,
    KeyChoice,
    ModelList,
    Pipeline,
    Recorder,
    Router,
    TurnLog,
    Upstream,
    build_upstreams,
)
from ibex.proxy import endpoints as proxy_endpoints
from ibex.rest import RestApplication
from ibex.settings import Settings
from ibex.storage import DatabaseUnavailableError, Postgres, Redis, connect, connect_single
from ibex.tasks import BackgroundTask, repeat, run_in_thread
from ibex.telemetry import AccessLog, Instruments, tracing
from ibex.telemetry import endpoints as telemetry_endpoints
from ibex.telemetry.endpoints import Dependency

_FLUSH_EVERY = 0.25
# Each command on the request path has a deadline of its own; this only frees a connection that hangs.
_REDIS_PATIENCE = 2.0
_WARM_UP = 2.0
# One connection for the writer of turns, one for that of the audit, and one to read the log of changes.
_WRITING_CONNECTIONS = 3
# Time for the last spans to leave at a stop.
_LAST_SPANS = 3.0
_USER_AGENT = f"ibex/{ibex.__version__}"


@dataclass(frozen=True, slots=True)
class Connections:
    """Where the data is, and the secrets under which tokens and provider keys are stored."""

    postgres_dsn: str = field(repr=False)
    redis_url: str = field(repr=False)
    pepper: bytes = field(repr=False)
    master_keys: KeyRing


def build(settings: Settings, connections: Connections, instruments: Instruments) -> Edge:
    """The web application of one process. Nothing connects before the server's start-up."""
    writing, looking_up = _pools(connections.postgres_dsn, settings.postgres_connections)
    redis = connect(connections.redis_url, timeout=_REDIS_PATIENCE)
    listener = connect_single(connections.redis_url, timeout=_REDIS_PATIENCE)
    access_log = AccessLog(enabled=settings.access_log)
    spans = tracing(settings.otlp_endpoint)

    audit = AuditTrail(writing, dropped=lambda n: instruments.rows_dropped.add("audit", amount=n))
    turns = TurnLog(
        writing,
        capacity=settings.turn_buffer,
        dropped=lambda n: instruments.rows_dropped.add("turn", amount=n),
    )

    def forget(change: Change | None) -> None:
        validator.forget(change)
        organization_keys.forget(change)
        limit_book.forget(change)

    feed = ChangeFeed(listener, writing, forget)
    refusals = RefusalAudit(audit, dropped=lambda n: instruments.rows_dropped.add("audit", amount=n))
    validator = TokenValidator(
        looking_up,
        connections.pepper,
        cache_seconds=settings.token_cache_seconds,
        timeout=settings.auth_timeout_seconds,
        feed_is_live=lambda: feed.is_live,
        refused=refusals.add,
    )
    organization_keys = OrganizationKeys(
        looking_up,
        connections.master_keys,
        cache_seconds=settings.token_cache_seconds,
        timeout=settings.auth_timeout_seconds,
        feed_is_live=lambda: feed.is_live,
    )
    limit_defaults = LimitDefaults.of(settings.limits)
    limit_book = LimitBook(looking_up, limit_defaults, timeout=settings.auth_timeout_seconds)
    limiter = RateLimiter(
        redis,
        process_id=f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",
        timeout=settings.redis_timeout_seconds,
        on_fallback=lambda org_id: audit.add(AuditEvent(org_id, "system", "limits.fallback", "degraded")),
        on_restore=lambda org_id: audit.add(AuditEvent(org_id, "system", "limits.restore", "success")),
        processes_at_start=settings.workers,
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
    admission = Admission(validator, limiter, limit_book, instruments, refusals.add)
    client_address = ClientAddress(parse_networks(settings.trusted_proxies))
    pipeline = Pipeline(
        admission=admission,
        idempotency=idempotency,
        router=router,
        keys=KeyChoice(organization_keys),
        caller=Caller(lambda provider, outcome: instruments.attempts.add(provider, outcome)),
        recorder=recorder,
        deadlines=deadlines,
        instruments=instruments,
        bounds=Bounds(
            settings.body_limit_bytes, settings.body_timeout_seconds, settings.response_limit_bytes
        ),
        client_address=client_address,
        docs_base_url=settings.url,
    )

    async def limit(principal: Principal) -> Mapping[str, str]:
        verdict, _ = await limiter.check(principal.org_id, await limit_book.of_request(principal))
        if not verdict.admitted:
            raise verdict.refusal()
        return verdict.headers()

    administration = Administration.over(
        looking_up, listener, connections.pepper, connections.master_keys, settings.providers
    )
    access = Access(validator, limit, refusals.add)
    memory = MemoryParts(settings, looking_up, writing, redis, administration.agents, _USER_AGENT)
    rest = RestApplication(
        [
            *auth_endpoints.routers(
                administration,
                access,
                limit_defaults=limit_defaults,
                organization_grace=timedelta(days=settings.organization_grace_days),
            ),
            *memory.routers(access),
        ],
        version=ibex.__version__,
        recognise=access.recognise,
        body_bytes=settings.body_limit_bytes,
        body_seconds=settings.body_timeout_seconds,
        client_address=client_address,
        deadlines=deadlines,
        instruments=instruments,
        access_log=access_log,
        docs_base_url=settings.url,
    )

    def flush() -> None:
        access_log.flush()
        refusals.flush()
        instruments.rows_waiting.set("turn", value=len(turns))
        instruments.rows_waiting.set("audit", value=len(audit))
        for name, upstream in upstreams.items():
            instruments.breaker_open.set(name, value=float(upstream.breaker.is_open))

    flusher = BackgroundTask("flush", lambda: repeat(flush, _FLUSH_EVERY))
    running = AsyncExitStack()

    async def startup() -> None:
        """The stop goes backwards: what is buffered is written before what it is written to is closed."""
        running.push_async_callback(run_in_thread, spans.close, within=_LAST_SPANS)
        for pool in (writing, looking_up):
            await pool.open()
            running.push_async_callback(pool.close)
        # The first request should not pay for the first connection; without a database IBEX starts anyway.
        with suppress(DatabaseUnavailableError, TimeoutError):
            async with asyncio.timeout(_WARM_UP):
                await looking_up.ping()
        running.push_async_callback(redis.aclose)
        running.push_async_callback(listener.aclose)
        for upstream in upstreams.values():
            running.push_async_callback(upstream.provider.close)
        running.callback(flush)
        for part in (flusher, deadlines, feed, limiter):
            part.start()
            running.push_async_callback(part.stop)
        audit.start()
        running.push_async_callback(audit.close, within=2.0)
        running.callback(refusals.close)
        turns.start()
        running.push_async_callback(turns.close, within=5.0)
        running.push_async_callback(recorder.close)
        memory.start(running)
        if (rpc_listener := Listener.of(settings)) is not None:
            rpc = rpc_server(
                rpc_listener,
                validator=validator,
                refused=refusals.add,
                postgres=looking_up,
                timeout=settings.auth_timeout_seconds,
                instruments=instruments,
                access_log=access_log,
            )
            await rpc.start()
            running.push_async_callback(rpc.stop)
        instruments.processes.add()
        running.callback(instruments.processes.add, amount=-1.0)

    return Edge(
        {
            **proxy_endpoints.routes(
                pipeline,
                ModelList(router, upstreams),
                admission,
                recorder,
                client_address=client_address,
                message_limit=settings.message_limit,
                docs_base_url=settings.url,
            ),
            **telemetry_endpoints.routes(
                instruments.metrics, _dependencies(writing, redis, settings), ibex.__version__
            ),
        },
        rest,
        docs_base_url=settings.url,
        refused=lambda status: instruments.count_request("other", status),
        startup=startup,
        shutdown=running.aclose,
    )


def _pools(dsn: str, connections: int) -> tuple[Postgres, Postgres]:
    """One to look up through, and one for what a flood of strangers must not keep waiting: turns, changes.

    A process that has one connection has one pool.
    """
    if connections == 1:
        shared = Postgres(dsn, connections=1)
        return shared, shared
    for_writing = min(connections // 2, _WRITING_CONNECTIONS)
    return Postgres(dsn, connections=for_writing), Postgres(dsn, connections=connections - for_writing)


def dead_ends(settings: Settings) -> list[tuple[str, str]]:
    """Aliases with a model that no provider serves, each with that model."""
    return _router(settings, build_upstreams(settings.providers, _USER_AGENT)).dead_ends()


def _router(settings: Settings, upstreams: Mapping[str, Upstream]) -> Router:
    models = {name: provider.models for name, provider in settings.providers.items()}
    return Router(upstreams, models, settings.aliases)


def _dependencies(postgres: Postgres, redis: Redis, settings: Settings) -> list[Dependency]:
    async def check_postgres() -> str:
        await postgres.ping()
        return "connected"

    async def check_redis() -> str:
        await redis.ping()
        return "connected"

    async def say_retrieval() -> str:
        if readiness(settings).retrieval == "hybrid":
            return "found by words and by meaning"
        return "found by words alone; `ibex doctor` says why"

    async def say_built_in() -> str:
        return "built in"

    async def say_configured() -> str:
        return "configured"

    providers = [
        Dependency(
            f"provider:{name}",
            say_built_in if provider.kind == "mock" else say_configured,
            is_required=False,
            when_away="",
        )
        for name, provider in settings.providers.items()
    ]
    return [
        Dependency("postgres", check_postgres, True, "tokens that are not cached are refused with 503"),
        Dependency("redis", check_redis, False, "limits are counted per process, conservatively"),
        Dependency("memories", say_retrieval, is_required=False, when_away=""),
        *providers,
    ]
