"""Learns from what providers report how well the tokens of their models are estimated."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ibex.context.conversation import conversation_of
from ibex.context.models import ModelCatalogue
from ibex.context.tokens import TokenCounter, overhead
from ibex.errors import Dialect

# One call in so many is counted; what is learned changes slowly, and counting takes a millisecond or two.
_EVERY = 8
# Prompts that are counted at a time.
_MOST_AT_ONCE = 2


class UsageObserver:
    """Counts some of the prompts that were sent, behind the answer and beside the loop."""

    def __init__(self, catalogue: ModelCatalogue, counter: TokenCounter) -> None:
        self._catalogue = catalogue
        self._counter = counter
        self._seen = 0
        self._counting: set[asyncio.Task[None]] = set()

    def observe(self, dialect: Dialect, fields: Mapping[str, Any], model: str, reported: int) -> None:
        """A provider has counted `reported` tokens in a prompt. Never waits."""
        if self._catalogue.of(model).family == "o200k":
            return
        self._seen += 1
        if self._seen % _EVERY != 1 or len(self._counting) >= _MOST_AT_ONCE:
            return
        counting = asyncio.create_task(
            asyncio.to_thread(self._count, dialect, fields, model, reported), name="count-prompt"
        )
        self._counting.add(counting)
        counting.add_done_callback(self._counting.discard)

    async def close(self) -> None:
        if self._counting:
            await asyncio.wait(self._counting, timeout=1.0)

    def _count(self, dialect: Dialect, fields: Mapping[str, Any], model: str, reported: int) -> None:
        extent = conversation_of(dialect, fields).extent
        # What an image counts, only the provider knows.
        if extent.attachments == 0:
            texts = self._counter.count_all((*extent.texts, *extent.others), model)
            self._counter.observe(model, texts + overhead(dialect, extent.messages), reported)
