"""The words of ASGI, and how a whole answer is sent."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

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
