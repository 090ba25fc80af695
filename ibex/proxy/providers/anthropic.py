"""Any provider that speaks Anthropic's interface over HTTP."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ibex.proxy.providers.http import HttpProvider
from ibex.settings import ProviderSettings

# The interface asks every client which version of it is meant. Official clients say so; what is written
# without one knows the oldest that is still served.
ANTHROPIC_VERSION: Final = "2023-06-01"
# Its longest page; there are fewer models than that.
_MODELS = "/models?limit=1000"


class AnthropicProvider(HttpProvider):
    """Its key is in a header of its own; a client's `anthropic-version` goes before ours."""

    def __init__(self, settings: ProviderSettings, user_agent: str) -> None:
        super().__init__(
            settings, user_agent, key_header="x-api-key", headers={"anthropic-version": ANTHROPIC_VERSION}
        )

    async def models(self) -> Sequence[Mapping[str, Any]]:
        """In OpenAI's form, so that there is one list of all providers' models."""
        return [
            {
                "id": model["id"],
                "object": "model",
                "created": _seconds(model.get("created_at")),
                "owned_by": "anthropic",
            }
            for model in await self._listed(_MODELS)
        ]


def _seconds(written: object) -> int:
    try:
        return int(datetime.fromisoformat(str(written)).timestamp())
    except (ValueError, OverflowError):
        return 0
