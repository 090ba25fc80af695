"""Every way in which a request can fail becomes the one envelope."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ibex.errors import ErrorCode, FieldError, IbexError, envelope
from ibex.rest.exchange import exchange_of
from ibex.rest.methods import methods_of
from ibex.storage import DatabaseUnavailableError

Handler = Callable[[Request, Any], Awaitable[Response]]

_NO_ID = "It must be an id, which is a UUID"
_NO_TIME = "It must be a time such as 2030-01-31T12:00:00Z"
# What the validator says in its own terms, by the type of the problem.
_SAID: Mapping[str, str] = {
    "missing": "It must be given",
    "extra_forbidden": "There is no such field",
    "uuid_parsing": _NO_ID,
    "uuid_type": _NO_ID,
    "datetime_parsing": _NO_TIME,
    "datetime_from_date_parsing": _NO_TIME,
    "datetime_type": _NO_TIME,
    "timezone_aware": "Say in which time zone: 2030-01-31T12:00:00Z",
}


def install(application: FastAPI, docs_base_url: str) -> None:
    """Answer each kind of failure in the envelope."""

    def answer(request: Request, error: IbexError) -> Response:
        exchange = exchange_of(request)
        exchange.error_code = error.code
        if error.status == 403 and exchange.on_refusal is not None:
            exchange.on_refusal(error.code)
        headers = dict(error.headers)
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        body = envelope(error, "openai", request_id=str(exchange.request_id), docs_base_url=docs_base_url)
        return Response(orjson.dumps(body), error.status, headers, "application/json")

    async def refuse(request: Request, error: IbexError) -> Response:
        return answer(request, error)

    async def explain(request: Request, error: RequestValidationError) -> Response:
        return answer(request, _invalid(error))

    async def translate(request: Request, error: HTTPException) -> Response:
        return answer(request, _from_http(application, request, error))

    async def degrade(request: Request, error: DatabaseUnavailableError) -> Response:
        return answer(
            request,
            IbexError(
                ErrorCode.SERVICE_DEGRADED,
                "The database does not answer at the moment. If something was to be changed, look whether it "
                "was, and try again shortly.",
                headers={"Retry-After": "1"},
            ),
        )

    async def fail(request: Request, error: Exception) -> Response:
        return answer(request, IbexError(ErrorCode.INTERNAL_ERROR, "Something failed that should not have."))

    handlers: dict[type[Exception], Handler] = {
        IbexError: refuse,
        RequestValidationError: explain,
        HTTPException: translate,
        DatabaseUnavailableError: degrade,
        Exception: fail,
    }
    for kind, handler in handlers.items():
        application.add_exception_handler(kind, handler)


def _invalid(error: RequestValidationError) -> IbexError:
    """Which fields, and why; never the values, which may be secrets."""
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return IbexError(ErrorCode.INVALID_JSON, "The body is not valid JSON.")
    fields = [
        FieldError(
            ".".join(str(part) for part in problem["loc"][1:]) or "body",
            _SAID.get(problem["type"], problem["msg"]),
        )
        for problem in problems
    ]
    return IbexError(
        ErrorCode.VALIDATION_ERROR,
        "; ".join(f"`{field.field}`: {field.message}" for field in fields[:8]) + ".",
        param=fields[0].field,
        field_errors=fields,
    )


def _from_http(application: FastAPI, request: Request, error: HTTPException) -> IbexError:
    path, method = request.url.path[:200], request.method[:16]
    if error.status_code == 405:
        allowed = ", ".join(methods_of(application, request.scope["path"]))
        return IbexError(
            ErrorCode.METHOD_NOT_ALLOWED,
            f"{path} is for {allowed}, not {method}.",
            headers={"Allow": allowed},
        )
    if error.status_code == 404:
        return IbexError(ErrorCode.NOT_FOUND, f"There is nothing at {path}.")
    # The framework says this of bodies that it cannot read, whatever is wrong with them.
    return IbexError(ErrorCode.INVALID_JSON, "The body cannot be read.")
