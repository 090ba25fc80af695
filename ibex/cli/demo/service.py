"""What the demonstration asks of an IBEX, as any client would: over HTTP, with a token."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

_PATIENCE = 60.0
_PAUSE = 0.1
# The machine's own; a proxy of the environment would not find it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServiceError(Exception):
    """IBEX does not answer, or says no."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model has said, and the id under which IBEX remembers the call."""

    text: str = field(repr=False)
    request_id: str


@dataclass(frozen=True, slots=True)
class Service:
    """An IBEX that runs. Every method raises `ServiceError`.

    `base_url` ends in `/v1`.
    """

    base_url: str
    token: str = field(repr=False)
    agent_id: str

    @classmethod
    def of(cls, credentials: Mapping[str, str]) -> "Service":
        return cls(credentials["base_url"], credentials["token"], credentials["agent_id"])

    def is_ready(self) -> bool:
        try:
            with _OPENER.open(f"{self.base_url.removesuffix('/v1')}/ready", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError):
            return False

    def models(self) -> Sequence[str]:
        return [model["id"] for model in self._ask("GET", "/models")["data"]]

    def say(self, model: str, user: str, session: str, text: str) -> Reply:
        """What an agent sends: one message, and in its headers who says it and in which session."""
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        headers = {
            "X-IBEX-User-ID": user,
            "X-IBEX-Session-ID": f"{user}-{session}",
            "X-IBEX-Agent-ID": self.agent_id,
        }
        answer = self._ask("POST", "/chat/completions", body, headers)
        return Reply(answer["choices"][0]["message"]["content"] or "", answer["request_id"])

    def memories(self, user: str) -> Sequence[Mapping[str, Any]]:
        page: Sequence[Mapping[str, Any]] = self._ask("GET", f"/memories?{urlencode({'user_id': user})}")[
            "data"
        ]
        return page

    def erase(self, memory_id: str) -> None:
        self._ask("DELETE", f"/memories/{quote(memory_id)}?hard=true")

    def receipt(self, request_id: str, *, within: float) -> Mapping[str, Any]:
        """It is written after the answer, so it may take a moment."""
        end = time.monotonic() + within
        while True:
            try:
                receipt: Mapping[str, Any] = self._ask("GET", f"/traces/{request_id}/context")["data"]
            except ServiceError:
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)
            else:
                return receipt

    def _ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310, the address is that of an IBEX
            self.base_url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **(headers or {})},
            method=method,
        )
        try:
            with _OPENER.open(request, timeout=_PATIENCE) as answer:
                text = answer.read()
                read: dict[str, Any] = json.loads(text) if text else {}
                return {**read, "request_id": answer.headers.get("X-Request-ID", "")}
        except urllib.error.HTTPError as error:
            with error:
                raise ServiceError(_message(error)) from None
        except (OSError, ValueError) as error:
            raise ServiceError(f"IBEX at {self.base_url} does not answer ({error}).") from None


def _message(error: urllib.error.HTTPError) -> str:
    """What IBEX says of it."""
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"IBEX answers with {error.code}."
