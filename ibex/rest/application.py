"""The REST interface as one ASGI application, within the same limits as the request path."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match, Route

from ibex.errors import ErrorCode, IbexError, envelope
from ibex.http import (
    ClientAddress,
    ClientGoneError,
    Deadline,
    Deadlines,
    Message,
    Receive,
    RequestHeaders,
    Scope,
    Send,
    read_body,
    respond,
)
from ibex.ids import uuid7
from ibex.rest import beside, failures, openapi, parameters, strict_json
from ibex.rest.exchange import KEY, Exchange
from ibex.rest.methods import methods_of
from ibex.rest.routes import LongBodyRoute, StreamedBodyRoute
from ibex.telemetry import AccessLog, Instruments, trace_of

logger = logging.getLogger(__name__)

_OPERATION = "management"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# Several times what most of these bodies need. Checking one takes far longer than parsing what agents send,
# and nothing else happens in the process meanwhile.
_LARGEST_SHORT_BODY = 128 << 10


class RestApplication:
    """Serves `routers`, and their description at `/openapi.json`.

    Parameters
    ----------
    recognise: raises the 401, 403 and 503 of authentication; a stranger's body is not even read.
    body_bytes, body_seconds: within what a request's body must arrive; 128 KiB at most but for a
        `LongBodyRoute`. Of one that is streamed the seconds are for each part.
    """

    def __init__(
        self,
        routers: Sequence[APIRouter],
        *,
        version: str,
        recognise: Callable[[Exchange], Awaitable[object]],
        body_bytes: int,
        body_seconds: float,
        client_address: ClientAddress,
        deadlines: Deadlines,
        instruments: Instruments,
        access_log: AccessLog,
        docs_base_url: str,
    ) -> None:
        self.application = FastAPI(
            title="IBEX",
            version=version,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        # Not `include_router`, which hides the routes from whoever has to look at all of them.
        for router in routers:
            self.application.router.routes.extend(router.routes)
        openapi.publish(self.application, docs_base_url, beside.paths())
        failures.install(self.application, docs_base_url)
        self._recognise = recognise
        self._body_bytes = body_bytes
        self._short_body_bytes = min(body_bytes, _LARGEST_SHORT_BODY)
        self._body_seconds = body_seconds
        self._client_address = client_address
        self._deadlines = deadlines
        self._instruments = instruments
        self._access_log = access_log
        self._docs_base_url = docs_base_url

    @property
    def routes(self) -> list[APIRoute]:
        """Every route there is; what checks them all starts here."""
        return [route for route in self.application.routes if isinstance(route, APIRoute)]

    @property
    def paths(self) -> dict[str, set[str]]:
        """Every path, with placeholders in braces, and its methods."""
        methods: dict[str, set[str]] = {}
        for route in self.application.routes:
            if isinstance(route, Route | APIRoute):
                methods.setdefault(route.path, set()).update(route.methods or ())
        return methods

    def serves(self, path: str) -> bool:
        """Whether a path is one of the interface's, for whatever method."""
        return bool(methods_of(self.application, path))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers, request_id = RequestHeaders.of(scope), uuid7()
        trace = trace_of(headers.text(b"traceparent"), request_id)
        exchange = Exchange(request_id, trace, self._client_address.of(scope), headers)
        # HEAD is GET without the body, which the server leaves out.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        inner = {**scope, KEY: exchange, "method": method}
        deadline = self._deadlines.open()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message = {**message, "headers": [*message["headers"], *_headers(exchange, started)]}
            else:
                exchange.size += len(message.get("body", b""))
            await send(message)

        try:
            headers.refuse_repeated()
            route = self._route(inner)
            if route is not None and method in _WITH_BODY and _has_body(headers):
                await self._recognise(exchange)
                receive = await self._received(route, headers, receive, deadline)
            else:
                receive = _replaying(b"", receive)
            await self.application(inner, receive, answer)
        except IbexError as error:
            await self._refuse(exchange, error, answer)
        except ClientGoneError:
            pass
        except Exception:
            # The framework has answered already; it raises what nobody foresaw once more.
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if exchange.status == 0:
                await self._refuse(
                    exchange,
                    IbexError(ErrorCode.INTERNAL_ERROR, "Something failed that should not have."),
                    answer,
                )
        finally:
            self._deadlines.close(deadline)
            self._record(inner, scope["method"], exchange, time.perf_counter() - started)

    def _route(self, scope: Scope) -> APIRoute | None:
        """The route for path and method, if there is one. Raises VALIDATION_ERROR for its parameters."""
        for route in self.routes:
            if route.matches(scope)[0] is Match.FULL:
                parameters.check(route, scope)
                return route
        return None

    async def _received(
        self, route: APIRoute, headers: RequestHeaders, receive: Receive, deadline: Deadline
    ) -> Receive:
        """What the route reads: a body that has arrived and was checked, or the one that arrives."""
        if isinstance(route, StreamedBodyRoute):
            return _patient(receive, deadline, self._body_seconds)
        limit = self._body_bytes if isinstance(route, LongBodyRoute) else self._short_body_bytes
        body = await read_body(receive, headers, deadline, limit=limit, within=self._body_seconds)
        if len(body) > _LARGEST_SHORT_BODY:
            await asyncio.to_thread(strict_json.check, body)
        else:
            strict_json.check(body)
        return _replaying(body, receive)

    async def _refuse(self, exchange: Exchange, error: IbexError, answer: Send) -> None:
        exchange.error_code = error.code
        body = envelope(
            error, "openai", request_id=str(exchange.request_id), docs_base_url=self._docs_base_url
        )
        headers = dict(error.headers)
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        await respond(answer, error.status, orjson.dumps(body), headers=headers)

    def _record(self, scope: Scope, method: str, exchange: Exchange, seconds: float) -> None:
        status = exchange.status or 499
        self._instruments.count_request(_OPERATION, status)
        self._instruments.request_seconds.observe(_OPERATION, seconds=seconds)
        if status in (401, 403) or exchange.error_code == ErrorCode.AUTH_UNAVAILABLE:
            self._instruments.auth_refusals.add()
        if self._access_log.is_enabled:
            route = scope.get("route")
            self._access_log.add(_line(method, exchange, status, seconds, getattr(route, "path", None)))


def _headers(exchange: Exchange, started: float) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-request-id", str(exchange.request_id).encode()),
        # Some answers hold a token, all of them what is an organization's own.
        (b"cache-control", b"no-store"),
        (b"x-trace-id", exchange.trace.trace_id.encode()),
        (b"x-response-time", b"%.2fms" % ((time.perf_counter() - started) * 1e3)),
        *((name.lower().encode(), text.encode("latin-1")) for name, text in exchange.answer_headers.items()),
    ]


def _has_body(headers: RequestHeaders) -> bool:
    return (headers.text(b"content-length") or "0") != "0" or headers.text(b"transfer-encoding") is not None


def _patient(receive: Receive, deadline: Deadline, seconds: float) -> Receive:
    """A body that arrives part by part, none of which may keep the reader waiting."""

    async def receive_in_time() -> Message:
        try:
            with deadline.within(seconds):
                return await receive()
        except TimeoutError:
            raise IbexError(
                ErrorCode.REQUEST_TIMEOUT,
                f"Nothing of the body arrived within {seconds:g} s.",
                headers={"Connection": "close"},
            ) from None

    return receive_in_time


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A body that has been read already, then whatever comes after it."""
    is_read = False

    async def replay() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _line(method: str, exchange: Exchange, status: int, seconds: float, route: str | None) -> dict[str, Any]:
    """The line in the access log. The route and not the path, in which anything may stand."""
    return {
        "time": datetime.now(UTC),
        "request_id": exchange.request_id,
        "trace_id": exchange.trace.trace_id,
        "client": exchange.address,
        "operation": _OPERATION,
        "method": method,
        "route": route,
        "status": status,
        "error_code": exchange.error_code,
        "ms": round(seconds * 1e3, 3),
        "bytes": exchange.size,
        "org_id": exchange.org_id,
        "token_id": exchange.token_id,
    }
