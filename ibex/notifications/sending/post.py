"""Sends a message to an endpoint. Its answer's status matters, and nothing else of it."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from ibex.http1 import Answer as HttpAnswer
from ibex.http1 import BrokenAnswerError, HttpClient, UnreachableError
from ibex.notifications.outcome import Answer
from ibex.notifications.retry import retry_after
from ibex.notifications.sending.addresses import Addresses, NoAddressError
from ibex.notifications.sending.message import Message
from ibex.notifications.signature import signed_headers

# Of a host that has many, so that one which answers nowhere does not use up the whole time.
_MOST_ADDRESSES = 3
# Of an answer's body this many bytes are read and thrown away, so that a server which sends a short one is
# not cut off in the middle.
_MOST_READ = 16 << 10
_PORTS = {"http": 80, "https": 443}


class Poster:
    """Signs a message and posts it; follows no redirect and uses no proxy.

    Parameters
    ----------
    addresses: what hosts are looked up with.
    timeout: seconds until an answer begins, the name's look-up included.
    largest: bytes of a body.
    clock: the time of an attempt.
    tls: how servers prove who they are.
    """

    def __init__(
        self,
        addresses: Addresses,
        *,
        timeout: float,
        largest: int,
        user_agent: str,
        clock: Callable[[], datetime],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._addresses = addresses
        self._timeout = timeout
        self._largest = largest
        self._user_agent = user_agent
        self._clock = clock
        self._tls = tls or ssl.create_default_context()

    async def send(self, message: Message) -> Answer:
        """How it went; raises nothing of what can go wrong on the way."""
        body = message.body()
        if len(body) > self._largest:
            return Answer(failure="too_large", is_final=True)
        parts = urlsplit(message.url)
        try:
            async with asyncio.timeout(self._timeout) as limit:
                port = parts.port or _PORTS[parts.scheme]
                addresses = await self._addresses.of(parts.hostname or "", port)
                return await self._post(parts, addresses, message, body, limit)
        except TimeoutError:
            return Answer(failure="timeout")
        except NoAddressError as error:
            return Answer(failure="private_address" if error.is_private else "name_unknown")
        except UnreachableError as error:
            return Answer(failure="tls" if isinstance(error.__cause__, ssl.SSLError) else "connect")
        except BrokenAnswerError:
            return Answer(failure="bad_answer")

    async def _post(
        self,
        parts: SplitResult,
        addresses: Sequence[str],
        message: Message,
        body: bytes,
        limit: asyncio.Timeout,
    ) -> Answer:
        """At the first address that can be connected to."""
        *others, last = addresses[:_MOST_ADDRESSES]
        for address in others:
            with suppress(UnreachableError):
                return await self._post_to(address, parts, message, body, limit)
        return await self._post_to(last, parts, message, body, limit)

    async def _post_to(
        self, address: str, parts: SplitResult, message: Message, body: bytes, limit: asyncio.Timeout
    ) -> Answer:
        client = HttpClient(
            f"{parts.scheme}://{parts.netloc}",
            connect_timeout=self._timeout / _MOST_ADDRESSES,
            connections=1,
            address=address,
            tls=self._tls,
        )
        now = self._clock()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._user_agent,
            "Connection": "close",
            **signed_headers(str(message.event_id), now, body, message.secrets),
        }
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            answer = await client.send(client.head("POST", path, headers), body)
            # The endpoint has said in time what there is to say; what follows changes nothing.
            limit.reschedule(None)
            judged = _judged(answer.status, retry_after(answer.headers.get("Retry-After"), now))
            await _throw_away(answer)
        finally:
            client.close()
        return judged


async def _throw_away(answer: HttpAnswer) -> None:
    """The beginning of the body, for a second at most. However it ends, the status is known already."""
    read = 0
    with suppress(BrokenAnswerError, TimeoutError):
        async with asyncio.timeout(1.0):
            while read < _MOST_READ and (chunk := await answer.read_chunk()):
                read += len(chunk)
    answer.close()


def _judged(status: int, wish: timedelta | None) -> Answer:
    """As Standard Webhooks wants it: 2xx is a success, 410 the end of the webhook, and all else a failure."""
    if 200 <= status < 300:
        return Answer(status)
    if status == 410:
        return Answer(status, "gone", is_final=True)
    return Answer(status, "redirect" if 300 <= status < 400 else "status", wish)
