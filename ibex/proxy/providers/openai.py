"""Any provider that speaks the OpenAI interface over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from multidict import CIMultiDict

from ibex.auth import ProviderKey
from ibex.http1 import Answer, BrokenAnswerError, HttpClient
from ibex.proxy.providers.base import ProviderRequest
from ibex.settings import ProviderSettings

_LARGEST_MODEL_LIST = 8 << 20
# Where providers look for a key, other than in `Authorization`, and for what it belongs to.
_KEY_HEADERS = ("api-key", "x-api-key", "x-goog-api-key")
_ACCOUNT_HEADERS = ("Authorization", "OpenAI-Organization", "OpenAI-Project")


class OpenAIProvider:
    """Sends JSON to `<base_url><path>` with the provider's key.

    Redirects are not followed, because they would carry the key to another host; nor are proxies or
    credentials taken from the environment.
    """

    def __init__(self, settings: ProviderSettings, user_agent: str) -> None:
        self._headers = CIMultiDict(
            {
                "Accept": "*/*",
                "Content-Type": "application/json",
                # Compressed bytes could be neither forwarded as they arrive nor read for usage.
                "Accept-Encoding": "identity",
                "User-Agent": user_agent,
                **settings.headers,
            }
        )
        # With another key than the installation's, nothing goes out that names or opens its account.
        self._neutral_headers = self._headers.copy()
        for name in (*_KEY_HEADERS, *_ACCOUNT_HEADERS):
            self._neutral_headers.popall(name, None)
        self._key_header = "Authorization"
        if settings.api_key is None and "Authorization" not in self._headers:
            self._key_header = next((name for name in _KEY_HEADERS if name in self._headers), "Authorization")
        if settings.api_key is not None:
            self._headers["Authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
        self._settings = settings
        self._heads: dict[str, bytes] = {}
        self._client: HttpClient | None = None

    async def send(self, request: ProviderRequest) -> Answer:
        return await self._opened().send(self._head(request), request.body)

    def _head(self, request: ProviderRequest) -> bytes:
        """The head of a request; one that has nothing of its own is made once for each path."""
        client = self._opened()
        if request.key is not None or request.headers:
            headers = self._headers.copy() if request.key is None else self._headers_with(request.key)
            headers.update(request.headers)
            return client.head("POST", request.path, headers)
        head = self._heads.get(request.path)
        if head is None:
            head = self._heads[request.path] = client.head("POST", request.path, self._headers)
        return head

    def _headers_with(self, key: ProviderKey) -> CIMultiDict[str]:
        """The key stands where the installation's does: some providers want it in a header of its own."""
        headers = self._neutral_headers.copy()
        is_bearer = self._key_header == "Authorization"
        headers[self._key_header] = f"Bearer {key.text}" if is_bearer else key.text
        return headers

    async def models(self) -> Sequence[Mapping[str, Any]]:
        client = self._opened()
        response = await client.send(client.head("GET", "/models", self._headers))
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

    async def close(self) -> None:
        if self._client is not None:
            self._client.close()

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
