"""One request to the REST interface, and what becomes known of it on its way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from starlette.requests import Request

from ibex.errors import ErrorCode
from ibex.http import RequestHeaders
from ibex.telemetry import Trace

KEY = "ibex.exchange"


@dataclass(slots=True)
class Exchange:
    """Kept in the request's scope; the answer gets `answer_headers`, the log gets the rest.

    `on_refusal` is told the code of a 403, once it is known who asks.
    """

    request_id: UUID
    trace: Trace
    address: str | None
    headers: RequestHeaders
    answer_headers: dict[str, str] = field(default_factory=dict)
    org_id: UUID | None = None
    token_id: UUID | None = None
    error_code: ErrorCode | None = None
    on_refusal: Callable[[ErrorCode], None] | None = None
    status: int = 0
    size: int = 0

    def add_headers(self, headers: Mapping[str, str]) -> None:
        self.answer_headers.update(headers)


def exchange_of(request: Request) -> Exchange:
    exchange: Exchange = request.scope[KEY]
    return exchange
