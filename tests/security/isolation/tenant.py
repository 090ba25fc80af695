"""An organization with one of everything, marked by a canary in every text it may choose."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import httpx2
import orjson

from ibex.archive.repository import contents
from ibex.archive.repository.contents import Line
from ibex.auth import ALL, ALL_RIGHTS, NO_RIGHT, Grant, TokenRequest, parse_grant
from ibex.drift import DriftService, DriftWatch
from ibex.ids import uuid7
from ibex.traces.store import PostgresTraces
from ibex.workers.dead_letters import DeadLetterBox
from ibex.workers.dead_letters.repository import page
from tests.drift.calls import Caller, watch
from tests.faults.waiting import until
from tests.operator import Operator
from tests.service import Service
from tests.traces.conftest import trace
from tests.workers.letters import given_up


@dataclass(slots=True)
class Tenant:
    """`ids` are by placeholder: what stands in `{agent_id}` of a path, say."""

    service: Service
    operator: Operator
    name: str
    org_id: UUID
    token: str
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def canary(self) -> str:
        return f"canary-of-{self.name}"

    @classmethod
    async def create(cls, service: Service, operator: Operator, name: str) -> "Tenant":
        """Everything below goes through the interface itself."""
        org_id = await operator.organization(f"canary-of-{name}")
        tenant = cls(service, operator, name, org_id, "")
        tenant.token = await tenant.issue(Grant(ALL, ALL_RIGHTS))
        tenant.ids = {"organization_id": str(org_id), "org_id": str(org_id), "provider": "openai"}
        await tenant._fill()
        return tenant

    async def issue(self, grant: Grant) -> str:
        """The text of a new token that holds `grant`, for whatever agent is named."""
        actor = self.operator.actor(self.org_id)
        helper = await self.operator.administration.agents.find_by_slug(self.org_id, "helper")
        request = TokenRequest(self.canary, grant, default_agent_id=helper.id)
        return (await self.operator.administration.tokens.create(actor, request)).text

    def http(self, token: str | None = None) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.service.url,
            headers={"Authorization": f"Bearer {token or self.token}"},
            timeout=20.0,
        )

    async def _fill(self) -> None:
        async with self.http() as client:

            async def made(path: str, body: dict[str, object]) -> str:
                answer = await client.post(path, json=body)
                assert answer.status_code == 201, (path, answer.text)
                return str(answer.json()["data"]["id"])

            self.ids["agent_id"] = await made(
                "/v1/agents", {"name": self.canary, "description": self.canary, "config": {"x": self.canary}}
            )
            self.ids["user_id"] = await made(
                "/v1/users",
                {"email": f"{self.canary}@example.com", "name": self.canary, "role": "member"},
            )
            self.ids["token_id"] = await made(
                "/v1/tokens", {"name": self.canary, "permissions": ["chat"], "agent_id": self.ids["agent_id"]}
            )
            limit = await client.put(
                "/v1/limits", json={"scope": "end_user", "subject": self.canary, "requests_per_minute": 60}
            )
            self.ids["limit_id"] = str(limit.json()["data"]["id"])
            self.ids["memory_id"] = await made(
                "/v1/memories",
                {
                    "agent_id": self.ids["agent_id"],
                    "content": f"The {self.canary} sings.",
                    "user_id": self.canary,
                    "tags": [self.canary],
                    "metadata": {self.canary: self.canary},
                },
            )
            self.ids["directive_id"] = await made(
                "/v1/directives",
                {
                    "agent_id": self.ids["agent_id"],
                    "content": f"Say {self.canary}.",
                    "change_summary": self.canary,
                },
            )
            self.ids["dead_letter_id"] = await self._given_up()
            self.ids["baseline_id"], self.ids["alert_id"] = await self._drifted()
            self.ids["conflict_id"] = await self._contradicted(client, made)
            self.ids["trace_id"] = await self._called(client)
            await self._traced()
            self.ids["session_id"] = await self._spoken()
            self.ids["webhook_id"] = await made(
                "/v1/webhooks",
                {"url": f"https://{self.canary}.example.com/", "description": self.canary},
            )
            self.ids["delivery_id"] = await made(f"/v1/webhooks/{self.ids['webhook_id']}/test", {})
            credential = await client.put(
                "/v1/provider-credentials/openai", json={"api_key": f"sk-{self.canary}"}
            )
            assert credential.is_success, credential.text

    async def _drifted(self) -> tuple[str, str]:
        """The ids of a baseline and of an alert."""
        postgres, agent_id = self.operator.postgres, UUID(self.ids["agent_id"])
        caller = Caller(self.org_id, agent_id)
        watching = DriftWatch(self.operator.administration.agents, baseline_calls=200)
        await watch(watching, postgres, self.org_id, caller.calls(200))
        await watch(watching, postgres, self.org_id, caller.calls(100, tools=(self.canary,)))
        drift, actor = DriftService(postgres), self.operator.actor(self.org_id)
        [alert] = await drift.alerts(actor, agent_id, None, None, None, 2)
        return str(alert.baseline_id), str(alert.id)

    async def _given_up(self) -> str:
        """The id of a dead letter."""
        job = given_up(self.org_id, payload=orjson.dumps({"text": self.canary}), keys=(self.canary,))
        assert await DeadLetterBox(self.operator.postgres).add(job)
        [letter] = await page(self.operator.postgres, self.org_id, None, None, 2)
        return str(letter.id)

    async def _called(self, client: httpx2.AsyncClient) -> str:
        """The id of a call whose receipt is there."""
        answer = await client.post(
            "/v1/chat/completions",
            headers={"X-IBEX-Agent-ID": self.ids["agent_id"], "X-IBEX-User-ID": self.canary},
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"{self.canary}?"}]},
        )
        assert answer.is_success, answer.text
        request_id = answer.headers["x-request-id"]
        await until(lambda: self._has_receipt(client, request_id))
        return request_id

    async def _traced(self) -> None:
        """Store the trace of the call, which is a job's work otherwise."""
        made = trace(
            self.org_id, UUID(self.ids["agent_id"]), id=UUID(self.ids["trace_id"]), user_id=self.canary
        )
        await PostgresTraces(self.operator.postgres).insert({self.org_id: [made]})

    async def _spoken(self) -> str:
        """The id of a session with content, which is kept when the organization wants it."""
        made = Line(UUID(self.ids["agent_id"]), self.canary, uuid7(), datetime.now(UTC), self.canary.encode())
        await contents.insert(self.operator.postgres, self.org_id, [made])
        return self.canary

    async def _has_receipt(self, client: httpx2.AsyncClient, request_id: str) -> bool:
        return (await client.get(f"/v1/traces/{request_id}/context")).is_success

    async def _contradicted(
        self, client: httpx2.AsyncClient, made: Callable[[str, dict[str, object]], Awaitable[str]]
    ) -> str:
        """The id of a conflict: what was superseded is brought back."""
        about = {"agent_id": self.ids["agent_id"], "user_id": self.canary}
        old, _ = [
            await made("/v1/memories", {**about, "content": f"I live in {city}.", "observed_at": at})
            for city, at in (("Lyon", "2026-01-01T00:00:00Z"), ("Oslo", "2026-02-01T00:00:00Z"))
        ]
        answer = await client.post(f"/v1/memories/{old}/revert", json={"version": 1})
        assert answer.is_success, answer.text
        (conflict,) = (await client.get("/v1/memories/conflicts")).json()["data"]
        return str(conflict["id"])


def without(permission: str) -> Grant:
    """Everything but one permission or right."""
    missing = parse_grant([permission])
    return Grant(ALL & ~missing.permissions, ALL_RIGHTS & ~missing.platform)


def everything_here() -> Grant:
    """All that can be held in an organization, and no right beyond it."""
    return Grant(ALL, NO_RIGHT)
