"""Memories as a client sees them: over REST, on one connection that is kept."""

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

AT_ONCE = 100


class MemoryClient:
    """Writes and searches the memories of end users.

    Parameters
    ----------
    base_url: of IBEX, without a path.
    agent: id or slug; None where the token is bound to one.
    """

    def __init__(self, base_url: str, token: str, agent: str | None) -> None:
        parts = urlsplit(base_url)
        assert parts.hostname is not None
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._agent = {} if agent is None else {"agent_id": agent}

    def write(self, user: str, memories: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """What became of each; any number, in as few requests as that takes."""
        results: list[Mapping[str, Any]] = []
        for begin in range(0, len(memories), AT_ONCE):
            batch = [{"user_id": user, **memory} for memory in memories[begin : begin + AT_ONCE]]
            results += self.post("/v1/memories/bulk", {**self._agent, "memories": batch})["results"]
        return results

    def search(self, user: str, query: str, limit: int) -> Mapping[str, Any]:
        body = {**self._agent, "user_id": user, "query": query, "limit": limit}
        return self.post("/v1/memories/search", body)

    def preview(self, user: str, question: str, model: str, tokens: int) -> Mapping[str, Any]:
        """What a model would be told with a question, within so many tokens of memories."""
        messages = [{"role": "user", "content": question}]
        body = {**self._agent, "user_id": user, "model": model, "messages": messages}
        return self.post("/v1/context/preview", {**body, "memory_tokens": tokens})

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._connection.request("POST", path, json.dumps(body).encode(), self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= 300:
            raise RuntimeError(f"{path}: {response.status} {answer}")
        data: Mapping[str, Any] = answer["data"]
        return data

    def close(self) -> None:
        self._connection.close()
