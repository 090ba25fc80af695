"""The memories of one agent over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ibex.auth import ALL
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service


@asynccontextmanager
async def memories_of(
    service: Service, operator: Operator, agent: str | None = "helper"
) -> AsyncIterator[Api]:
    """A client with every permission, bound to an agent unless that is None."""
    token = await operator.token(service.org_id, ALL, agent)
    async with Api(service, token) as api:
        yield api


async def remembered(api: Api, content: str, **fields: Any) -> Any:
    """A memory that was created."""
    return await api.create("/memories", {"content": content, **fields})


async def found(api: Api, query: str, **fields: Any) -> list[str]:
    """The texts that a search finds, best first."""
    answer = await api.do("/memories/search", {"query": query, **fields})
    return [result["memory"]["content"] for result in answer["results"]]


async def bulk(api: Api, *memories: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """The results of a bulk request."""
    answer = await api.call("POST", "/memories/bulk", {"memories": list(memories), **fields})
    assert answer.status_code == 207, answer.text
    results: list[dict[str, Any]] = answer.json()["data"]["results"]
    return results
