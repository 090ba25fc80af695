"""Where a request comes from, also when it came through a load balancer."""

import re
from collections.abc import Iterator, Sequence

from ibex.http.asgi import Scope
from ibex.http.networks import Network, contain, parse_address

_FORWARDED = b"x-forwarded-for"
# Some proxies add the port: 192.0.2.1:5050, [2001:db8::1]:5050.
_WITH_PORT = re.compile(r"(?:\[([^]]+)\]|([^:]+))(?::\d{1,5})?")


class ClientAddress:
    """Finds the address of a client: the peer's, unless that is a proxy which is trusted to tell it.

    Parameters
    ----------
    trusted: networks of proxies whose `X-Forwarded-For` is believed; of several addresses in it the last one
        counts that no trusted proxy has, because whatever stands before that is the client's to invent.
    """

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = trusted

    def of(self, scope: Scope) -> str | None:
        """The address in its usual spelling; None when what a proxy tells is none."""
        client = scope.get("client")
        peer: str = client[0] if client else ""
        if not self._trusted and ":" not in peer:
            # Most requests; and the kernel spells an IPv4 address in one way only.
            return peer or None
        address = _spelled(peer)
        for hop in _hops(scope):
            if not contain(self._trusted, address):
                break
            address = _spelled(hop)
        return address


def _hops(scope: Scope) -> Iterator[str]:
    """From the nearest. A proxy may add to the line that it got, or add a line below."""
    for name, value in reversed(scope["headers"]):
        if name == _FORWARDED:
            for hop in reversed(value.decode("latin-1").split(",")):
                if hop.strip():
                    yield hop.strip()


def _spelled(text: str) -> str | None:
    parsed = parse_address(text)
    if parsed is None and (match := _WITH_PORT.fullmatch(text)) is not None:
        parsed = parse_address(match[1] or match[2])
    return None if parsed is None else str(parsed)
