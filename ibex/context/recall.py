"""Everything that may be told in one call: what a search finds, and what was said a moment ago."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from ibex.context.conversation import Conversation
from ibex.context.learning import Told
from ibex.context.receipts import Rung
from ibex.context.recent import RecentTurns
from ibex.context.repeated import RepeatedTurns
from ibex.context.retrieval import Recalled, Retrieval, Retrieved, of_memory
from ibex.context.turn import ChatTurn
from ibex.memory import MemorySearch
from ibex.storage import DatabaseUnavailableError

logger = logging.getLogger(__name__)

# Characters of the question that are searched with, its end: who pastes a book asks behind it.
_LONGEST_QUESTION = 4_000


class Recall:
    """Asks all sources at once. A call that goes on with a turn is told what the turn was told.

    Parameters
    ----------
    timeout: seconds for what a turn was told before.
    """

    def __init__(
        self,
        search: MemorySearch,
        retrieval: Retrieval,
        recent: RecentTurns,
        repeated: RepeatedTurns,
        *,
        timeout: float,
    ) -> None:
        self._search = search
        self._retrieval = retrieval
        self._recent = recent
        self._repeated = repeated
        self._timeout = timeout

    async def of(self, turn: ChatTurn, conversation: Conversation, key: str) -> Retrieved:
        """Best first. Raises nothing of what it depends on."""
        if not conversation.question.strip():
            return Retrieved((), Rung.COMPLETE, None)
        if conversation.is_continued:
            told_before = await self._told_before(turn, conversation, key)
            if told_before is not None:
                return told_before
        question = conversation.question[-_LONGEST_QUESTION:]
        retrieved, recent = await asyncio.gather(
            self._retrieval.of(turn.scope, question), self._recent_of(turn, conversation, question)
        )
        return replace(retrieved, recalled=_merged(retrieved.recalled, recent))

    async def keep(
        self, turn: ChatTurn, conversation: Conversation, key: str, told: Sequence[Told], *, is_all: bool
    ) -> None:
        """Remember what a turn was told, be it nothing, for the calls that go on with it.

        Where that was nothing only because nothing could be found in time, or where something has no id yet,
        because it is not stored, they search anew.

        Parameters
        ----------
        is_all: whether everything could be searched.
        """
        ids = [each.id for each in told if each.id is not None]
        if len(ids) == len(told) and (told or is_all):
            await self._repeated.keep(turn.scope, key, conversation.question, ids)
        else:
            await self._repeated.forget(turn.scope, key, conversation.question)

    async def close(self) -> None:
        await self._retrieval.close()

    async def _recent_of(self, turn: ChatTurn, conversation: Conversation, question: str) -> list[Recalled]:
        """Nothing for strangers: nothing is learned from them, and a session that is new has no turns."""
        if not turn.is_known_again:
            return []
        has_history = len(conversation.texts) > 1 or not turn.names_session
        return await self._recent.of(turn.scope, question, has_history=has_history)

    async def _told_before(self, turn: ChatTurn, conversation: Conversation, key: str) -> Retrieved | None:
        ids = await self._repeated.told(turn.scope, key, conversation.question)
        if ids is None:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                memories = await self._search.those(turn.scope, ids) if ids else []
        except (DatabaseUnavailableError, TimeoutError) as error:
            logger.warning("what a turn was told cannot be read (%s)", type(error).__name__)
            return None
        recalled = [of_memory(memory, "repeated", score=1.0) for memory in memories]
        return Retrieved(recalled, Rung.COMPLETE, None, is_repeated=True)


def _merged(found: Sequence[Recalled], recent: Sequence[Recalled]) -> list[Recalled]:
    """Each memory once, best first. A recent one's score says where it belongs between the worst that was
    found, 0, and the best, 1.
    """
    worst = min((each.score for each in found), default=0.0)
    best = max((each.score for each in found), default=1.0)
    placed = [replace(each, score=worst + each.score * (best - worst)) for each in recent]
    seen: set[UUID | str] = set()
    merged = []
    for each in sorted([*placed, *found], key=lambda recalled: (not recalled.pinned, -recalled.score)):
        identity: UUID | str = each.id or each.text
        if identity not in seen:
            seen.add(identity)
            merged.append(each)
    return merged
