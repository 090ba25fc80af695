"""The interface of a provider: send one request, read one answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ibex.auth import ProviderKey


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """What is sent. `path` is below the provider's base URL, `body` is JSON with the provider's own model.

    `key` takes the place of the installation's.
    """

    path: str
    body: bytes = field(repr=False)
    model: str
    streams: bool
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: ProviderKey | None = None


class ProviderResponse(Protocol):
    """An answer whose head has arrived. Whoever holds it closes it, finished or not."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Header names are matched without regard to case."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether everything has been read."""
        ...

    async def read_chunk(self) -> bytes:
        """The next bytes as they arrive, `b""` at the end. Raises `BrokenAnswerError`."""
        ...

    def close(self) -> None:
        """Give the connection back; while the answer is not complete, this ends it at the provider."""
        ...


class Provider(Protocol):
    """One configured provider."""

    async def send(self, request: ProviderRequest) -> ProviderResponse:
        """Send and wait for the head of the answer. Raises `UnreachableError` or `BrokenAnswerError`."""
        ...

    async def models(self) -> Sequence[Mapping[str, Any]]:
        """What `GET /models` of the provider lists. Raises as `send` and `read_chunk` do."""
        ...

    async def close(self) -> None: ...
