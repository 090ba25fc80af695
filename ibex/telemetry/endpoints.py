"""`/health`, `/ready` and `/metrics`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from ibex.http import Receive, Routes, Scope, Send, respond
from ibex.telemetry.metrics import CONTENT_TYPE, Metrics

_PATIENCE = 1.0
# However many ask, the dependencies are asked once in this time (seconds).
_KEEP_READINESS = 1.0


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something IBEX needs. `check` raises when it is away; without a required one IBEX is not ready."""

    name: str
    check: Callable[[], Awaitable[str]]
    is_required: bool
    when_away: str


async def _look_up_nothing() -> None:
    """For metrics that are all counted where they are shown."""


def routes(
    metrics: Metrics,
    dependencies: list[Dependency],
    version: str,
    look_up: Callable[[], Awaitable[None]] = _look_up_nothing,
) -> Routes:
    """Path → method → endpoint. None of them needs a token and none of them tells a secret.

    Parameters
    ----------
    look_up: called before metrics are shown, for those that are not counted here. It raises nothing.
    """

    async def health(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, orjson.dumps({"status": "alive", "version": version}))

    readiness = _Readiness(dependencies, version)

    async def ready(scope: Scope, receive: Receive, send: Send) -> None:
        status, body = await readiness.answer()
        await respond(send, status, body)

    async def scrape(scope: Scope, receive: Receive, send: Send) -> None:
        await look_up()
        await respond(send, 200, metrics.render(), content_type=CONTENT_TYPE)

    return {"/health": {"GET": health}, "/ready": {"GET": ready}, "/metrics": {"GET": scrape}}


class _Readiness:
    """What `/ready` answers, kept for a moment: it needs no token, and each answer asks the databases."""

    def __init__(self, dependencies: Sequence[Dependency], version: str) -> None:
        self._dependencies = dependencies
        self._version = version
        self._lock = asyncio.Lock()
        self._answer = (503, b"")
        self._fresh_until = float("-inf")

    async def answer(self) -> tuple[int, bytes]:
        async with self._lock:
            if time.monotonic() >= self._fresh_until:
                self._answer = await self._ask()
                self._fresh_until = time.monotonic() + _KEEP_READINESS
            return self._answer

    async def _ask(self) -> tuple[int, bytes]:
        answers = await asyncio.gather(*(_state(dependency) for dependency in self._dependencies))
        states = {d.name: state for d, state in zip(self._dependencies, answers, strict=True)}
        is_ready = all(states[d.name]["ok"] for d in self._dependencies if d.is_required)
        body = {
            "status": "ready" if is_ready else "not ready",
            "version": self._version,
            "dependencies": states,
        }
        return 200 if is_ready else 503, orjson.dumps(body)


async def _state(dependency: Dependency) -> Mapping[str, object]:
    try:
        async with asyncio.timeout(_PATIENCE):
            state = await dependency.check()
    except Exception as error:  # noqa: BLE001
        # Whatever way a dependency fails, the answer is its state; the type says enough without a secret.
        return {"ok": False, "state": type(error).__name__, "effect": dependency.when_away}
    return {"ok": True, "state": state}
