"""The outermost layer: finds the endpoint for a path and method, and answers when there is none."""

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from ibex.errors import EXPLANATIONS, Dialect, ErrorCode, IbexError, envelope
from ibex.ids import uuid7

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]
# The scope's extension by which our server tells an application that the client has gone.
DISCONNECT = "ibex.disconnect"
Routes = Mapping[str, Mapping[str, Endpoint]]


class Disconnect:
    """Tells, without being asked again and again, whether the client of a connection has gone."""

    __slots__ = ("callback", "is_gone")

    def __init__(self) -> None:
        self.callback: Callable[[], None] | None = None
        self.is_gone = False

    def happened(self) -> None:
        self.is_gone = True
        if self.callback is not None:
            self.callback()


class Edge:
    """An ASGI application over a table of exact paths.

    Parameters
    ----------
    routes: path → method → endpoint.
    refused: told the status of every request that no endpoint has answered.
    startup, shutdown: run by the server before the first and after the last request.
    """

    def __init__(
        self,
        routes: Routes,
        *,
        docs_base_url: str,
        refused: Callable[[int], None],
        startup: Callable[[], Awaitable[None]],
        shutdown: Callable[[], Awaitable[None]],
    ) -> None:
        self._routes = {path: _with_head(methods) for path, methods in {**routes, **error_pages()}.items()}
        self._docs_base_url = docs_base_url
        self._refused = refused
        self._startup = startup
        self._shutdown = shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"]
        methods = self._routes.get(path)
        if methods is None:
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
        if f"/v1{path}" in self._routes:
            return f"There is nothing at {path[:200]}. The base URL ends in /v1: try /v1{path[:200]}."
        served = ", ".join(route for route in self._routes if route.startswith("/v1/"))
        return f"There is nothing at {path[:200]}. There are: {served}."

    async def _refuse(self, scope: Scope, send: Send, error: IbexError) -> None:
        self._refused(error.status)
        request_id = str(uuid7())
        dialect: Dialect = "anthropic" if scope["path"].startswith("/v1/messages") else "openai"
        body = envelope(error, dialect, request_id=request_id, docs_base_url=self._docs_base_url)
        await respond(
            send,
            error.status,
            orjson.dumps(body),
            headers={**error.headers, "X-Request-ID": request_id},
            with_body=scope["method"] != "HEAD",
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._startup()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._shutdown()
        await send({"type": "lifespan.shutdown.complete"})


async def respond(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    with_body: bool = True,
) -> None:
    """Send a whole answer."""
    fields = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in fields.items()],
        }
    )
    await send({"type": "http.response.body", "body": body if with_body else b""})


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
