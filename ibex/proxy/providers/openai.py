"""Any provider that speaks the OpenAI interface over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any

from ibex.proxy.providers.http import HttpProvider
from ibex.settings import ProviderSettings


class OpenAIProvider(HttpProvider):
    """Its key is a bearer token."""

    def __init__(self, settings: ProviderSettings, user_agent: str) -> None:
        super().__init__(settings, user_agent, key_header="Authorization")

    async def models(self) -> Sequence[Mapping[str, Any]]:
        return await self._listed("/models")
