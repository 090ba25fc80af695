"""The error bodies of both dialects."""

import orjson
from multidict import CIMultiDict

from ibex.errors import Dialect
from ibex.proxy.providers.mock.response import JSON, MockResponse

_KINDS = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
_ANTHROPIC_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class InvalidRequestError(Exception):
    """The request is not of the interface; `param` is the path of what is wrong in its body."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


def refusal(error: InvalidRequestError, dialect: Dialect = "openai") -> MockResponse:
    if dialect == "anthropic":
        return _anthropic_response(400, error.message)
    return error_response(400, error.message, "invalid_request_error", error.param, error.code)


def unknown_path(path: str) -> MockResponse:
    return error_response(404, f"Invalid URL (POST {path})", "invalid_request_error")


def requested_error(status: int, dialect: Dialect = "openai") -> MockResponse:
    """The error that a model named `mock-error-<status>` stands for."""
    message = f"The mock model was asked to answer {status}."
    if dialect == "anthropic":
        response = _anthropic_response(status, message)
    else:
        kind, code = _KINDS.get(status, ("invalid_request_error" if status < 500 else "server_error", None))
        response = error_response(status, message, kind, code=code)
    if status == 429:
        response.headers["Retry-After"] = "1"
    return response


def error_response(
    status: int, message: str, kind: str, param: str | None = None, code: str | None = None
) -> MockResponse:
    body = orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})
    return MockResponse(status, CIMultiDict({"Content-Type": JSON}), iter([body]))


def _anthropic_response(status: int, message: str) -> MockResponse:
    kind = _ANTHROPIC_KINDS.get(status, "invalid_request_error" if status < 500 else "api_error")
    body = orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})
    return MockResponse(status, CIMultiDict({"Content-Type": JSON}), iter([body]))
