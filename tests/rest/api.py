"""A client of the REST interface that holds a token."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2

from tests.service import Service


@dataclass(slots=True)
class Api:
    """Calls one service with one token. Calls that are to succeed return `data`, the others say why not."""

    service: Service
    token: str = field(repr=False)
    client: httpx2.AsyncClient = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.client = httpx2.AsyncClient(
            base_url=self.service.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=20.0
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def call(self, method: str, path: str, body: object = None, **options: Any) -> httpx2.Response:
        if body is not None:
            options["json"] = body
        return await self.client.request(method, f"/v1{path}", **options)

    async def get(self, path: str, **query: Any) -> Any:
        return _data(await self.call("GET", path, params=query), 200)

    async def create(self, path: str, body: object) -> Any:
        return _data(await self.call("POST", path, body), 201)

    async def do(self, path: str, body: object = None) -> Any:
        return _data(await self.call("POST", path, body), 200)

    async def change(self, path: str, body: object) -> Any:
        return _data(await self.call("PATCH", path, body), 200)

    async def delete(self, path: str) -> None:
        answer = await self.call("DELETE", path)
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    async def refusal(self, method: str, path: str, body: object = None, **options: Any) -> tuple[int, str]:
        """The status and the code."""
        answer = await self.call(method, path, body, **options)
        return answer.status_code, answer.json()["error"]["code"]

    async def every(self, path: str, **query: Any) -> list[Any]:
        """A whole list, page by page."""
        found: list[Any] = []
        while True:
            answer = await self.call("GET", path, params=query)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["data"]
            if not page["pagination"]["has_more"]:
                return found
            query["cursor"] = page["pagination"]["next_cursor"]


def _data(answer: httpx2.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()["data"]
