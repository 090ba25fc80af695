"""The outermost layer: finds the endpoint for a path and method, and answers when there is none."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

import orjson

from ibex.errors import EXPLANATIONS, Dialect, ErrorCode, IbexError, envelope
from ibex.http.asgi import Endpoint, Receive, Routes, Scope, Send, respond
from ibex.ids import uuid7

logger = logging.getLogger(__name__)

# What clients of that dialect ask for, by whatever base URL.
_ANTHROPIC_PATHS = ("/v1/messages", "/messages", "/v1/v1/messages")


class Mounted(Protocol):
    """An application that answers for paths of its own."""

    @property
    def paths(self) -> Mapping[str, Collection[str]]:
        """Every path, with placeholders in braces, and its methods."""
        ...

    def serves(self, path: str) -> bool: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Edge:
    """An ASGI application over a table of exact paths, with another one for the paths beside them.

    Parameters
    ----------
    routes: path → method → endpoint.
    mounted: asked for every path that is not in the table.
    refused: told the status of every request that no endpoint has answered.
    startup, shutdown: run by the server before the first and after the last request.
    """

    def __init__(
        self,
        routes: Routes,
        mounted: Mounted,
        *,
        docs_base_url: str,
        refused: Callable[[int], None],
        startup: Callable[[], Awaitable[None]],
        shutdown: Callable[[], Awaitable[None]],
    ) -> None:
        self._routes = {path: _with_head(methods) for path, methods in {**routes, **error_pages()}.items()}
        self._mounted = mounted
        self._docs_base_url = docs_base_url
        self._refused = refused
        self._startup = startup
        self._shutdown = shutdown

    @property
    def paths(self) -> Mapping[str, Collection[str]]:
        """Every path there is and its methods; what has to look at all of them starts here."""
        return {**self._routes, **self._mounted.paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"]
        methods = self._routes.get(path)
        if methods is None:
            if self._mounted.serves(path):
                await self._mounted(scope, receive, send)
                return
            await self._refuse(scope, send, IbexError(ErrorCode.NOT_FOUND, self._nothing_at(path)))
            return
        endpoint = methods.get(scope["method"])
        if endpoint is None:
            allowed = ", ".join(methods)
            await self._refuse(
                scope,
                send,
                IbexError(
                    ErrorCode.METHOD_NOT_ALLOWED,
                    f"{path} is for {allowed}, not {scope['method']}.",
                    headers={"Allow": allowed},
                ),
            )
            return
        try:
            await endpoint(scope, receive, send)
        except Exception:
            logger.exception("%s %s failed", scope["method"], path)
            await self._refuse(
                scope, send, IbexError(ErrorCode.INTERNAL_ERROR, "Something failed that should not have.")
            )

    def _nothing_at(self, path: str) -> str:
        if f"/v1{path}" in self._routes or self._mounted.serves(f"/v1{path}"):
            return f"There is nothing at {path[:200]}. The base URL ends in /v1: try /v1{path[:200]}."
        if path.startswith("/v1/v1/"):
            return f"There is nothing at {path[:200]}. This client adds /v1 to its base URL itself."
        served = ", ".join(route for route in self._routes if route.startswith("/v1/"))
        return f"There is nothing at {path[:200]}. There are: {served}, and what /openapi.json lists."

    async def _refuse(self, scope: Scope, send: Send, error: IbexError) -> None:
        self._refused(error.status)
        request_id = str(uuid7())
        dialect: Dialect = "anthropic" if scope["path"].startswith(_ANTHROPIC_PATHS) else "openai"
        body = envelope(error, dialect, request_id=request_id, docs_base_url=self._docs_base_url)
        await respond(
            send,
            error.status,
            orjson.dumps(body),
            headers={**error.headers, **_request_id(dialect, request_id)},
            with_body=scope["method"] != "HEAD",
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._startup()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._shutdown()
        await send({"type": "lifespan.shutdown.complete"})


def _request_id(dialect: Dialect, request_id: str) -> Mapping[str, str]:
    """Where the official client of each dialect looks for it."""
    ours = {"X-Request-ID": request_id}
    return {**ours, "Request-ID": request_id} if dialect == "anthropic" else ours


def _with_head(methods: Mapping[str, Endpoint]) -> Mapping[str, Endpoint]:
    """HEAD is GET without the body, which the server leaves out."""
    return {**methods, "HEAD": methods["GET"]} if "GET" in methods else methods


def error_pages() -> Routes:
    """A page per error code at `/errors/<CODE>`, which is what `docs_url` in every error points at."""

    def page(code: ErrorCode) -> Endpoint:
        explanation = EXPLANATIONS[code]
        text = (
            f"# {code}\n\nHTTP status {explanation.status}, type `{explanation.type}`.\n\n"
            f"{explanation.meaning}\n\n{explanation.remedy}\n"
        ).encode()

        async def show(scope: Scope, receive: Receive, send: Send) -> None:
            await respond(send, 200, text, content_type="text/markdown; charset=utf-8")

        return show

    return {f"/errors/{code}": {"GET": page(code)} for code in ErrorCode}
