"""Gets an answer for a request: the targets of its route in order, each with its retries and breaker."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Protocol

import orjson

from ibex.errors import Dialect, ErrorCode, IbexError
from ibex.http import Deadline
from ibex.http1 import BrokenAnswerError, UnreachableError
from ibex.proxy.providers.base import (
    Provider,
    ProviderRequest,
    ProviderResponse,
)
from ibex.proxy.providers.breaker import Admitted, CircuitBreaker
from ibex.proxy.providers.failures import AttemptFailedError, from_answer, to_error
from ibex.proxy.providers.retry import RetryPolicy
from ibex.settings import TimeoutSettings

_LARGEST_ERROR = 64 << 10
_SSE_FIELDS = (b"data", b"event", b"id", b"retry", b":")


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider with what governs the calls to it.

    `dialects` are those it speaks; `takes_keys` is whether its calls can be made with any key.
    """

    name: str
    provider: Provider
    timeouts: TimeoutSettings
    retries: RetryPolicy
    breaker: CircuitBreaker
    secrets: tuple[str, ...] = field(repr=False)
    takes_keys: bool = True
    dialects: tuple[Dialect, ...] = ("openai",)


@dataclass(frozen=True, slots=True)
class Target:
    """One place where a model can be had, under the name it has there."""

    upstream: Upstream
    model: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer whose first bytes have arrived. Whoever holds it closes `response`."""

    target: Target
    response: ProviderResponse
    first: bytes = field(repr=False)
    is_stream: bool


@dataclass(slots=True, eq=False)
class NoAnswerError(Exception):
    """Every target was tried. `failure` is the last one, at `target`; None when every breaker was open."""

    target: Target
    failure: AttemptFailedError | None

    def for_client(self) -> IbexError:
        """What the client is told."""
        name = self.target.upstream.name
        if self.failure is not None:
            return to_error(self.failure, name)
        return IbexError(
            ErrorCode.PROVIDER_UNAVAILABLE,
            f"The provider `{name}` has kept failing and is left alone for a moment.",
            headers={"Retry-After": str(max(1, ceil(self.target.upstream.breaker.wait())))},
        )


Compose = Callable[[Target], ProviderRequest]


class Attempts(Protocol):
    """Told of every call to a provider, for the record."""

    def attempt(self, target: Target) -> None: ...

    def failed(self, target: Target, failure: AttemptFailedError) -> None: ...


Observe = Callable[[str, str], None]


class Caller:
    """Calls providers.

    Parameters
    ----------
    observe: told the provider's name and the outcome of every attempt.
    """

    def __init__(self, observe: Observe) -> None:
        self._observe = observe

    async def open(
        self, targets: Sequence[Target], compose: Compose, deadline: Deadline, attempts: Attempts
    ) -> Answer:
        """The first answer to be had; nothing of it has been forwarded yet. Raises `NoAnswerError`."""
        no_answer = NoAnswerError(targets[0], None)
        refusing: set[str] = set()
        for target in targets:
            if target.upstream.name in refusing:
                continue
            request = compose(target)
            retry = 0
            while (admitted := target.upstream.breaker.admit()) is not None:
                attempts.attempt(target)
                try:
                    return await self._attempt(target, admitted, request, deadline)
                except AttemptFailedError as failed:
                    failure = failed
                attempts.failed(target, failure)
                no_answer = NoAnswerError(target, failure)
                if failure.blames_the_request:
                    raise no_answer
                if failure.status == 401:
                    # No other model makes the key a good one.
                    refusing.add(target.upstream.name)
                delay = target.upstream.retries.delay(retry, failure.retry_after)
                if delay is None or not failure.is_retryable:
                    break
                retry += 1
                await asyncio.sleep(delay)
        raise no_answer

    async def _attempt(
        self, target: Target, admitted: Admitted, request: ProviderRequest, deadline: Deadline
    ) -> Answer:
        upstream = target.upstream
        try:
            answer = await _first_bytes(target, request, deadline)
        except AttemptFailedError as failure:
            self._observe(upstream.name, failure.outcome)
            if failure.concerns_one_key:
                upstream.breaker.abandoned(admitted)
            elif failure.blames_the_provider:
                upstream.breaker.failed(admitted)
            else:
                upstream.breaker.succeeded(admitted)
            raise
        except BaseException:
            upstream.breaker.abandoned(admitted)
            raise
        self._observe(upstream.name, "ok")
        upstream.breaker.succeeded(admitted)
        return answer


async def _first_bytes(target: Target, request: ProviderRequest, deadline: Deadline) -> Answer:
    """Send, wait for the head and the first bytes, and check that they are what was asked for."""
    response: ProviderResponse | None = None
    try:
        with deadline.within(target.upstream.timeouts.first_byte):
            response = await target.upstream.provider.send(request)
            if response.status != 200:
                body = await _read_all(response, _LARGEST_ERROR)
                raise from_answer(
                    response.status, response.headers, body, target.upstream.secrets, request.key
                )
            is_stream = _is_stream(response.headers)
            first = await response.read_chunk()
            if is_stream:
                first = await _first_line(response, first)
        if not first or not _is_plausible(first, is_stream=is_stream):
            raise AttemptFailedError("invalid")
        if is_stream is not request.streams:
            # A client cannot read the one where it expects the other; asking again would cost as much again.
            raise AttemptFailedError("mismatch")
    except UnreachableError:
        raise AttemptFailedError("unreachable") from None
    except BrokenAnswerError:
        _close(response)
        raise AttemptFailedError("invalid") from None
    except TimeoutError:
        _close(response)
        raise AttemptFailedError("timeout") from None
    except BaseException:
        _close(response)
        raise
    return Answer(target, response, first, is_stream)


async def _first_line(response: ProviderResponse, first: bytes) -> bytes:
    """More bytes until they hold something other than line ends, which say nothing about what follows."""
    while first and not first.strip():
        more = await response.read_chunk()
        if not more:
            return b""
        first += more
    return first


async def _read_all(response: ProviderResponse, limit: int) -> bytes:
    body = bytearray()
    while len(body) < limit and (chunk := await response.read_chunk()):
        body += chunk
    return bytes(body)


def _is_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", "").lower().startswith("text/event-stream")


def _is_plausible(first: bytes, *, is_stream: bool) -> bool:
    """Whether the bytes can be the beginning of an event stream (WHATWG HTML, 9.2) or of a JSON object."""
    text = first.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not is_stream:
        return text.startswith(b"{")
    return any(text.startswith(field) or field.startswith(text) for field in _SSE_FIELDS)


async def read_json_body(answer: Answer, limit: int, deadline: Deadline) -> tuple[bytes, Mapping[str, Any]]:
    """The whole of an answer that is not a stream, as it came and parsed. Raises `AttemptFailedError`."""
    chunks, size = [answer.first], len(answer.first)
    idle = answer.target.upstream.timeouts.idle
    try:
        while not answer.response.is_complete:
            with deadline.within(idle):
                chunk = await answer.response.read_chunk()
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise AttemptFailedError("invalid")
    except BrokenAnswerError:
        raise AttemptFailedError("invalid") from None
    except TimeoutError:
        raise AttemptFailedError("timeout") from None
    body = b"".join(chunks)
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise AttemptFailedError("invalid") from None
    return body, parsed


def _close(response: ProviderResponse | None) -> None:
    if response is not None:
        response.close()
