"""`/health`, `/ready` and `/metrics`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import orjson

from ibex.http import Receive, Routes, Scope, Send, respond
from ibex.telemetry.metrics import CONTENT_TYPE, Metrics

_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something IBEX needs. `check` raises when it is away; without a required one IBEX is not ready."""

    name: str
    check: Callable[[], Awaitable[str]]
    is_required: bool
    when_away: str


def routes(metrics: Metrics, dependencies: list[Dependency], version: str) -> Routes:
    """Path → method → endpoint. None of them needs a token and none of them tells a secret."""

    async def health(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, orjson.dumps({"status": "alive", "version": version}))

    async def ready(scope: Scope, receive: Receive, send: Send) -> None:
        states = dict(
            zip(
                (dependency.name for dependency in dependencies),
                await asyncio.gather(*(_state(dependency) for dependency in dependencies)),
                strict=True,
            )
        )
        is_ready = all(states[d.name]["ok"] for d in dependencies if d.is_required)
        body = {"status": "ready" if is_ready else "not ready", "version": version, "dependencies": states}
        await respond(send, 200 if is_ready else 503, orjson.dumps(body))

    async def scrape(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, metrics.render(), content_type=CONTENT_TYPE)

    return {"/health": {"GET": health}, "/ready": {"GET": ready}, "/metrics": {"GET": scrape}}


async def _state(dependency: Dependency) -> Mapping[str, object]:
    try:
        async with asyncio.timeout(_PATIENCE):
            state = await dependency.check()
    except Exception as error:  # noqa: BLE001
        # Whatever way a dependency fails, the answer is its state; the type says enough without a secret.
        return {"ok": False, "state": type(error).__name__, "effect": dependency.when_away}
    return {"ok": True, "state": state}
