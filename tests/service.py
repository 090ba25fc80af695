"""The web application, served by the real server on the test's own loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import httpx2
import uvicorn
from openai import AsyncOpenAI

from ibex.app import Connections, build
from ibex.http import Edge
from ibex.serving.protocol import bounded_protocol
from ibex.settings import load
from ibex.storage import Postgres, connect_single
from ibex.tasks import BackgroundTask
from ibex.telemetry import Instruments
from ibex.traces import TraceShipping, TraceStream
from ibex.traces.store import PostgresTraces
from tests.operator import PEPPER, Operator
from tests.providers.stub import StubProvider
from tests.vocabulary import vocabulary

API_KEY = "sk-upstream-secret-0123456789"
# Most tests are about what is answered, not how fast: a busy machine must not turn an answer into a timeout.
PATIENCE: dict[str, Any] = {"auth_timeout_seconds": 10.0, "redis_timeout_seconds": 10.0}


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: where it is, who may call it, and what it has counted."""

    url: str
    port: int
    org_id: UUID
    token: str
    instruments: Instruments
    edge: Edge
    server: uvicorn.Server

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def openai(self, **options: Any) -> AsyncOpenAI:
        """The official client, without retries of its own unless asked for."""
        return AsyncOpenAI(base_url=f"{self.url}/v1", **{"api_key": self.token, "max_retries": 0, **options})

    def http(self) -> httpx2.AsyncClient:
        """A plain client that sends the token. It reads no certificates, which costs more than a request."""
        return httpx2.AsyncClient(base_url=self.url, headers=self.headers, timeout=20.0, verify=False)

    async def drain(self) -> None:
        """Wait until nothing is in flight, and write what is buffered, as a stop does."""
        self.server.should_exit = True

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        postgres_dsn: str,
        redis_url: str,
        operator: Operator,
        stub: StubProvider | None,
        *,
        kinds: Sequence[str] = ("openai",),
        ships: bool = True,
        **overrides: Any,
    ) -> AsyncIterator[Self]:
        """Serve until the block ends. `stub` is a provider of each of `kinds`, named alike, for all models.

        With `ships`, traces are stored, as a job process does it. Memories are found by words alone, unless
        an embedder is asked for.
        """
        org_id = await operator.organization()
        token = await operator.token(org_id)
        fitted = {"access_log": False, "embedder": {"kind": "none"}, **PATIENCE, **overrides}
        settings = load({}, overrides={**_providers(stub, kinds), **fitted})
        instruments = Instruments(settings.providers)
        edge = build(
            settings, Connections(postgres_dsn, redis_url, PEPPER, operator.keys), instruments, vocabulary()
        )
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(
                edge,
                http=bounded_protocol(
                    header_bytes=settings.header_limit_bytes, header_seconds=5.0, docs_base_url=settings.url
                ),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
            )
        )
        running = asyncio.create_task(server._serve([listening]))
        async with AsyncExitStack() as shipped:
            if ships:
                await shipped.enter_async_context(shipping(postgres_dsn, redis_url))
            try:
                while not server.started:
                    if running.done():
                        running.result()
                    await asyncio.sleep(0.001)
                yield cls(f"http://127.0.0.1:{port}", port, org_id, token, instruments, edge, server)
            finally:
                server.should_exit = True
                await running
                listening.close()


@asynccontextmanager
async def shipping(
    postgres_dsn: str,
    redis_url: str,
    *,
    refused: Callable[[int], None] = lambda traces: None,
    **options: Any,
) -> AsyncIterator[TraceShipping]:
    """Somebody who takes traces from the stream and stores them in Postgres, until the block ends."""
    postgres = Postgres(postgres_dsn, connections=2)
    redis = connect_single(redis_url, timeout=5.0)
    stop = asyncio.Event()
    somebody = TraceShipping(
        TraceStream(redis, longest=1), postgres, PostgresTraces(postgres), refused=refused, **options
    )
    await postgres.open()
    task = BackgroundTask("shipping", lambda: somebody.run(stop))
    task.start()
    try:
        yield somebody
    finally:
        stop.set()
        await task.stop(within=6.0)
        await redis.aclose()
        await postgres.close()


def _providers(stub: StubProvider | None, kinds: Sequence[str]) -> Mapping[str, Any]:
    if stub is None:
        return {}
    return {
        "providers": {
            kind: {
                "kind": kind,
                "base_url": stub.base_url,
                "api_key": API_KEY,
                "timeouts": {"connect": 1.0, "first_byte": 1.0, "idle": 1.0},
                "retries": {"attempts": 2, "backoff": 0.01, "longest_wait": 2.0},
            }
            for kind in kinds
        }
    }
