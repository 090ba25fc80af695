"""An agent that talks through a whole service, and what its provider was sent."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

import httpx2
import psycopg
from psycopg.rows import dict_row

from ibex.app import Connections
from ibex.app.jobs import JobParts
from ibex.auth import ALL
from ibex.settings import load
from ibex.workers import work
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import PEPPER, Operator
from tests.providers import payloads
from tests.providers.exchange import Exchange
from tests.providers.stub import StubProvider
from tests.rest.api import Api
from tests.service import Service

Message = dict[str, Any]

MODEL = "gpt-4o-mini"
# A deadline that no machine is too busy for, and limits that no test reaches.
SETTINGS: Mapping[str, Any] = {
    "context": {"deadline_ms": 10_000},
    "kinds": ("openai", "anthropic"),
    "limits": {"token_rpm": 1_000_000, "agent_rpm": 1_000_000, "organization_rpm": 1_000_000},
}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def says(text: str) -> Any:
    """A provider that answers so."""

    async def answer(exchange: Exchange) -> None:
        completion = payloads.completion(exchange.request.model)
        completion["choices"][0]["message"]["content"] = text
        await exchange.respond(payloads.encode(completion))

    return answer


@dataclass(slots=True)
class Stage:
    """One agent of one organization, its provider, and somebody who may do everything."""

    service: Service
    stub: StubProvider
    operator: Operator
    database: Database
    admin: Api = field(repr=False)

    @classmethod
    @asynccontextmanager
    async def set_up(
        cls, database: Database, operator: Operator, stub: StubProvider, **settings: Any
    ) -> AsyncIterator[Self]:
        async with (
            Service.start(
                database.service_dsn, database.redis_url, operator, stub, **{**SETTINGS, **settings}
            ) as service,
            Api(service, await operator.token(service.org_id, ALL)) as admin,
        ):
            yield cls(service, stub, operator, database, admin)

    async def directive(self, content: str = "Be brief.", mode: str = "system_first") -> Any:
        """A version that is in use from now on. To be called before the agent has said anything."""
        written = await self.admin.create("/directives", {"content": content, "mode": mode, "submit": True})
        return await self.admin.do(f"/directives/{written['id']}/promote", {})

    async def remembered(self, content: str, user_id: str | None = "ada", **fields: Any) -> Any:
        return await self.admin.create("/memories", {"content": content, "user_id": user_id, **fields})

    async def quarantined(self, content: str) -> Any:
        """A memory that is kept apart."""
        answer = await self.admin.call("POST", "/memories", {"content": content, "user_id": "ada"})
        assert answer.status_code == 202, answer.text
        return answer.json()["data"]

    async def say(
        self,
        *messages: Message,
        user_id: str | None = "ada",
        session_id: str | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> httpx2.Response:
        """Make a call, whatever comes of it."""
        told = {"X-IBEX-User-ID": user_id, "X-IBEX-Session-ID": session_id, **(headers or {})}
        if token is not None:
            told["Authorization"] = f"Bearer {token}"
        async with self.service.http() as client:
            return await client.post(
                "/v1/chat/completions",
                json={"model": MODEL, "messages": messages, **fields},
                headers={name: value for name, value in told.items() if value is not None},
            )

    async def ask(self, *messages: Message, **options: Any) -> httpx2.Response:
        """Make a call that is answered."""
        answer = await self.say(*messages, **options)
        assert answer.status_code == 200, answer.text
        return answer

    @property
    def sent(self) -> bytes:
        """The body that the provider was sent last."""
        return self.stub.requests[-1].body

    @property
    def messages(self) -> list[Message]:
        """The messages that the provider was sent last."""
        found: list[Message] = self.stub.requests[-1].json()["messages"]
        return found

    @property
    def block(self) -> str:
        """The memories that the provider was sent last; empty when it was sent none."""
        return next((text for text in map(text_of, self.messages) if text.startswith("<memories ")), "")

    async def receipt(self, answer: httpx2.Response) -> Any:
        """The receipt of a call, as soon as it is stored."""
        return await receipt(self.admin, answer.headers["x-request-id"])

    async def rows(self, table: str) -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(self.database.superuser_dsn) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(f"SELECT * FROM ibex.{table}")
            return await cursor.fetchall()

    async def learned(self, text: str) -> None:
        """Wait until something that was said is a memory."""

        async def is_there() -> bool:
            return any(text in row["content"] for row in await self.rows("memories"))

        await until(is_there, seconds=20.0)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """A process that does the jobs, on this loop."""
        settings = load({}, overrides={"embedder": {"kind": "none"}})
        connections = Connections(
            self.database.service_dsn, self.database.redis_url, PEPPER, self.operator.keys
        )
        jobs = JobParts(settings, connections)
        stop = asyncio.Event()
        async with AsyncExitStack() as running:
            await jobs.open(running)
            working = asyncio.create_task(
                work(self.database.redis_url, (), jobs.on_demand, ready=lambda: None, stop=stop)
            )
            try:
                yield
            finally:
                stop.set()
                await working


async def receipt(api: Api, request_id: str | UUID) -> Any:
    """A receipt, as soon as it is stored."""
    path = f"/traces/{request_id}/context"

    async def is_there() -> bool:
        return (await api.call("GET", path)).status_code == 200

    await until(is_there)
    return await api.get(path)


def text_of(message: Message) -> str:
    content = message["content"]
    return content if isinstance(content, str) else ""


def told(receipt: Any) -> list[str]:
    """The ids of the memories that were told."""
    return [each["memory_id"] for each in receipt["memories"] if each["included"]]


def reasons(receipt: Any) -> dict[str, str | None]:
    """Why each memory was left out, by its id; None when it was told."""
    return {each["memory_id"]: each["reason"] for each in receipt["memories"]}


def common_prefix(one: bytes, other: bytes) -> int:
    """How many bytes two texts begin with alike."""
    pairs: Sequence[tuple[int, int]] = list(zip(one, other, strict=False))
    return next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))
