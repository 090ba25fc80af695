"""Any provider that speaks the OpenAI interface over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson
from multidict import CIMultiDict
from yarl import URL

from ibex.proxy.providers.base import BrokenAnswerError, ProviderRequest, UnreachableError
from ibex.settings import ProviderSettings

_LARGEST_MODEL_LIST = 8 << 20


class HttpResponse:
    """An answer that is read from the socket as it arrives; a slow reader slows the provider."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def is_complete(self) -> bool:
        return self._response.content.at_eof()

    async def read_chunk(self) -> bytes:
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError) as error:
            raise BrokenAnswerError(type(error).__name__) from error

    def close(self) -> None:
        # A complete answer has already given its connection back; an incomplete one is cut off.
        self._response.close()


class OpenAIProvider:
    """Sends JSON to `<base_url><path>` with the provider's key.

    Redirects are not followed, because they would carry the key to another host; nor are proxies or
    credentials taken from the environment.
    """

    def __init__(self, settings: ProviderSettings, user_agent: str) -> None:
        self._base_url = settings.base_url
        self._urls: dict[str, URL] = {}
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
        if settings.api_key is not None:
            self._headers["Authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
        # What comes after the connection is limited by the caller, for all kinds of providers alike.
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.timeouts.connect)
        self._connections = settings.connections
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: ProviderRequest) -> HttpResponse:
        headers = self._headers
        if request.headers:
            headers = CIMultiDict(headers)
            headers.update(request.headers)
        return await self._request("POST", request.path, headers, request.body)

    async def models(self) -> Sequence[Mapping[str, Any]]:
        response = await self._request("GET", "/models", self._headers, None)
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
        if self._session is not None:
            await self._session.close()

    async def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpResponse:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self._base_url + path)
        try:
            return HttpResponse(
                await self._opened().request(method, url, data=body, headers=headers, allow_redirects=False)
            )
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientSSLError,
            aiohttp.InvalidURL,
        ) as error:
            raise UnreachableError(type(error).__name__) from error
        except (aiohttp.ClientError, OSError) as error:
            raise BrokenAnswerError(type(error).__name__) from error

    def _opened(self) -> aiohttp.ClientSession:
        # Made on first use: a session belongs to the loop it is made on, which runs after the fork.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=30.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=True,
                trust_env=False,
                raise_for_status=False,
            )
        return self._session
