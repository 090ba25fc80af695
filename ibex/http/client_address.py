"""Where a request comes from, also when it came through a load balancer."""

from collections.abc import Sequence

from ibex.http.asgi import Scope
from ibex.http.headers import RequestHeaders
from ibex.http.networks import Network, contain

_FORWARDED = b"x-forwarded-for"


class ClientAddress:
    """Finds the address of a client: the peer's, unless that is a proxy which is trusted to tell it.

    Parameters
    ----------
    trusted: networks of proxies whose `X-Forwarded-For` is believed; of several addresses in it the last one
        counts that no trusted proxy has, because whatever stands before that is the client's to invent.
    """

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = trusted

    def of(self, scope: Scope, headers: RequestHeaders) -> str | None:
        client = scope.get("client")
        address = client[0] if client else None
        if not self._trusted or not contain(self._trusted, address):
            return address
        for hop in reversed((headers.text(_FORWARDED) or "").split(",")):
            if hop.strip():
                address = hop.strip()[:64]
                if not contain(self._trusted, address):
                    break
        return address
