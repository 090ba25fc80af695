"""The addresses of a host, looked up once and checked; what is connected to is one of these and no other."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from threading import Thread

from ibex.http import Network, is_reachable

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]


class NoAddressError(Exception):
    """A host has no address, or one that nobody may be led to."""

    def __init__(self, *, is_private: bool) -> None:
        super().__init__("an address that is not public" if is_private else "no address")
        self.is_private = is_private


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses that the system knows for a name. Raises `OSError`.

    On a thread of its own: a name server that hangs takes no place away from anybody else.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str], error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(addresses)
        else:
            answer.set_exception(error)

    def ask() -> None:
        addresses: list[str] = []
        error: Exception | None = None
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        except (OSError, UnicodeError) as caught:
            error = caught if isinstance(caught, OSError) else OSError(str(caught))
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, addresses, error)

    Thread(target=ask, name="look-up", daemon=True).start()
    return await answer


class Addresses:
    """Looks up and checks.

    Parameters
    ----------
    allowed: networks that are not public, and allowed all the same.
    """

    def __init__(self, allowed: Sequence[Network], look_up: LookUp = look_up) -> None:
        self._allowed = allowed
        self._look_up = look_up

    async def of(self, host: str, port: int) -> Sequence[str]:
        """At least one. Raises `NoAddressError`, also when only one of them is not public: a name that has
        both is meant to deceive, or to be reached from inside."""
        try:
            found = await self._look_up(host, port)
        except OSError:
            raise NoAddressError(is_private=False) from None
        if not found:
            raise NoAddressError(is_private=False)
        if not all(is_reachable(address, self._allowed) for address in found):
            raise NoAddressError(is_private=True)
        return found
