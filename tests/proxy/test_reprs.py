"""What ends up in a log or a traceback by way of `repr` holds no secret and nothing that was said."""

from typing import Any

import pytest
from multidict import CIMultiDict

from ibex.auth import CHAT, AgentPrincipal, ProviderKey
from ibex.http import ClientAddress, RequestHeaders
from ibex.ids import uuid7
from ibex.proxy.call import Call, Operation
from ibex.proxy.estimate import estimate_embeddings
from ibex.proxy.idempotency import StoredAnswer
from ibex.proxy.keys import Route
from ibex.proxy.payload import Payload, parse_embeddings
from ibex.proxy.providers.base import ProviderRequest
from ibex.proxy.providers.breaker import CircuitBreaker
from ibex.proxy.providers.calling import Answer, Target, Upstream
from ibex.proxy.providers.failures import AttemptFailedError
from ibex.proxy.providers.mock import MockProvider
from ibex.proxy.providers.retry import RetryPolicy
from ibex.proxy.request import Request
from ibex.settings import TimeoutSettings

SECRET = "hush"
BYTES = SECRET.encode()
PAYLOAD = Payload({"messages": SECRET}, "m", False, None)
UPSTREAM = Upstream(
    "u", MockProvider("u"), TimeoutSettings(), RetryPolicy(0, 1.0, 1.0), CircuitBreaker(), (SECRET,)
)
HEADERS = [(b"authorization", BYTES)]


class Said:
    """An answer that holds what was said."""

    status = 200
    headers = CIMultiDict({"X": "y"})
    is_complete = True

    async def read_chunk(self) -> bytes:
        return b""

    def close(self) -> None:
        return


@pytest.mark.parametrize(
    "value",
    [
        UPSTREAM,
        Target(UPSTREAM, "m"),
        ProviderRequest("/", BYTES, "m", False, {"X-Key": SECRET}),
        Route((), {"u": ProviderKey(SECRET, "caller")}),
        PAYLOAD,
        Call(
            Operation("embeddings", "/embeddings", CHAT, parse_embeddings, estimate_embeddings, False),
            uuid7(),
            AgentPrincipal(uuid7(), uuid7(), CHAT, agent_id=uuid7(), agent_slug="helper"),
            PAYLOAD,
            BYTES,
            None,
            None,
        ),
        StoredAnswer("application/json", BYTES, None),
        RequestHeaders.of({"headers": HEADERS}),
        Request.of("models", {"headers": HEADERS}, ClientAddress()),
        Answer(Target(UPSTREAM, "m"), Said(), BYTES, False),
        AttemptFailedError("error", 400, error={"message": SECRET}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_is_told(value: Any) -> None:
    assert SECRET not in repr(value)
    assert SECRET not in str(value)
