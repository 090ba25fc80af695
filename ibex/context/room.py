"""How much of a model's window a call leaves for memories."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ibex.context.budget import Budget, budget, refuse_beyond_window
from ibex.context.conversation import Conversation
from ibex.context.models import ModelCatalogue
from ibex.context.tokens import TokenCounter, overhead
from ibex.context.turn import ChatTurn

# English has about four bytes to a token.
_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Room:
    """A window shared out, and the tokens of the client's messages, counted or estimated."""

    budget: Budget
    messages: int
    is_exact: bool


class Rooms:
    """Shares out windows without counting, as long as there is room whatever the count would be."""

    def __init__(self, catalogue: ModelCatalogue, counter: TokenCounter) -> None:
        self._catalogue = catalogue
        self._counter = counter

    async def of(
        self,
        turn: ChatTurn,
        conversation: Conversation,
        *,
        besides: int,
        most: int,
    ) -> Room:
        """For whichever of the turn's models has the smallest window.

        Raises CONTEXT_LENGTH_EXCEEDED when the messages alone are certain to be longer than the window of the
        model that is asked first.

        Parameters
        ----------
        besides: tokens that are put in besides memories.
        most: tokens of memories.
        """
        model, first = turn.models[0], self._catalogue.of(turn.models[0])
        limits = min(map(self._catalogue.of, turn.models), key=lambda each: each.context_window)
        extent = conversation.extent
        around = overhead(turn.dialect, extent.messages, extent.attachments)
        bound = self._counter.at_most(extent.texts) + self._counter.at_most(extent.others)

        def shared(tokens: int) -> Budget:
            return budget(
                limits,
                asked_answer=_answer_asked(turn.fields),
                directive=besides,
                conversation=tokens + around,
                most_memories=most,
            )

        roughly = shared(bound)
        if roughly.memories == most and bound + around < limits.context_window:
            return Room(roughly, bound // _BYTES_PER_TOKEN + around, is_exact=False)
        texts = await asyncio.to_thread(self._counter.count_all, extent.texts, model)
        if self._counter.is_exact(model):
            refuse_beyond_window(model, first, texts)
        everything = (*extent.texts, *extent.others)
        counts = [await asyncio.to_thread(self._counter.count_all, everything, each) for each in turn.models]
        is_exact = all(map(self._counter.is_exact, turn.models))
        return Room(shared(max(counts)), max(counts) + around, is_exact)


def _answer_asked(fields: Mapping[str, Any]) -> int | None:
    """How long the client lets the answer be."""
    for name in ("max_completion_tokens", "max_tokens"):
        asked = fields.get(name)
        if isinstance(asked, int) and not isinstance(asked, bool) and asked > 0:
            return asked
    return None
