"""A provider over HTTP: what the interfaces have in common."""

from collections.abc import Mapping
from typing import Any

import orjson
from multidict import CIMultiDict

from ibex.auth import ProviderKey
from ibex.http1 import Answer, BrokenAnswerError, HttpClient
from ibex.proxy.providers.base import ProviderRequest
from ibex.settings import ProviderSettings

_LARGEST_MODEL_LIST = 8 << 20
_REMEMBERED = 64
# Where providers look for a key, and for what it belongs to.
_KEY_HEADERS = ("Authorization", "api-key", "x-api-key", "x-goog-api-key")
_ACCOUNT_HEADERS = ("OpenAI-Organization", "OpenAI-Project")


class HttpProvider:
    """Sends JSON to `<base_url><path>` with the provider's key.

    Redirects are not followed, because they would carry the key to another host; nor are proxies or
    credentials taken from the environment.

    Parameters
    ----------
    key_header: where the key goes, unless the settings have one in another header and none of their own.
    headers: what the interface asks for with every request; the settings may replace it.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        user_agent: str,
        *,
        key_header: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._headers = CIMultiDict(
            {
                "Accept": "*/*",
                "Content-Type": "application/json",
                # Compressed bytes could be neither forwarded as they arrive nor read for usage.
                "Accept-Encoding": "identity",
                "User-Agent": user_agent,
            }
        )
        self._headers.update(headers or {})
        self._headers.update(settings.headers)
        # With another key than the installation's, nothing goes out that names or opens its account.
        self._neutral_headers = self._headers.copy()
        for name in (*_KEY_HEADERS, *_ACCOUNT_HEADERS):
            self._neutral_headers.popall(name, None)
        self._key_header = key_header
        if settings.api_key is not None:
            self._headers[key_header] = self._key_value(settings.api_key.get_secret_value())
        elif key_header not in self._headers:
            self._key_header = next((name for name in _KEY_HEADERS if name in self._headers), key_header)
        self._settings = settings
        self._heads: dict[tuple[object, ...], bytes] = {}
        self._client: HttpClient | None = None

    async def send(self, request: ProviderRequest) -> Answer:
        return await self._opened().send(self._head(request), request.body)

    async def close(self) -> None:
        if self._client is not None:
            self._client.close()

    async def _listed(self, path: str) -> list[Mapping[str, Any]]:
        """The models at a path. Raises `UnreachableError` or `BrokenAnswerError`."""
        client = self._opened()
        response = await client.send(client.head("GET", path, self._headers))
        try:
            body = bytearray()
            while chunk := await response.read_chunk():
                body += chunk
                if len(body) > _LARGEST_MODEL_LIST:
                    raise BrokenAnswerError("the list of models is too large")
        finally:
            response.close()
        try:
            listed = orjson.loads(body)["data"] if response.status == 200 else None
        except (orjson.JSONDecodeError, KeyError, TypeError):
            listed = None
        if not isinstance(listed, list):
            raise BrokenAnswerError("the answer is not a list of models")
        return [model for model in listed if isinstance(model, dict) and isinstance(model.get("id"), str)]

    def _head(self, request: ProviderRequest) -> bytes:
        """The head of a request; making one takes 13 µs, and most are alike."""
        if request.key is not None:
            return self._made(request, self._headers_with(request.key))
        alike = (request.path, *request.headers.items())
        head = self._heads.get(alike)
        if head is None:
            head = self._made(request, self._headers.copy())
            # Clients choose what is forwarded of them, so they must not fill it for good.
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            self._heads[alike] = head
        return head

    def _made(self, request: ProviderRequest, headers: CIMultiDict[str]) -> bytes:
        headers.update(request.headers)
        return self._opened().head("POST", request.path, headers)

    def _headers_with(self, key: ProviderKey) -> CIMultiDict[str]:
        """The key stands where the installation's does: some providers want it in a header of its own."""
        headers = self._neutral_headers.copy()
        headers[self._key_header] = self._key_value(key.text)
        return headers

    def _key_value(self, key: str) -> str:
        return f"Bearer {key}" if self._key_header == "Authorization" else key

    def _opened(self) -> HttpClient:
        # Made on first use: it reads the machine's certificates, which not every process needs.
        if self._client is None:
            self._client = HttpClient(
                self._settings.base_url,
                # What comes after the connection is limited by the caller, for all kinds of providers alike.
                connect_timeout=self._settings.timeouts.connect,
                connections=self._settings.connections,
            )
        return self._client
