"""OpenAI's error bodies."""

import orjson
from multidict import CIMultiDict

from ibex.proxy.providers.mock.response import JSON, MockResponse

_KINDS = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class InvalidRequestError(Exception):
    """The request is not of the interface; `param` is the path of what is wrong in its body."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


def refusal(error: InvalidRequestError) -> MockResponse:
    return error_response(400, error.message, "invalid_request_error", error.param, error.code)


def unknown_path(path: str) -> MockResponse:
    return error_response(404, f"Invalid URL (POST {path})", "invalid_request_error")


def requested_error(status: int) -> MockResponse:
    """The error that a model named `mock-error-<status>` stands for."""
    kind, code = _KINDS.get(status, ("invalid_request_error" if status < 500 else "server_error", None))
    response = error_response(status, f"The mock model was asked to answer {status}.", kind, code=code)
    if status == 429:
        response.headers["Retry-After"] = "1"
    return response


def error_response(
    status: int, message: str, kind: str, param: str | None = None, code: str | None = None
) -> MockResponse:
    body = orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})
    return MockResponse(status, CIMultiDict({"Content-Type": JSON}), iter([body]))
