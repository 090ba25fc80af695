"""What was said a moment ago: turns that are not stored yet, and those that the client does not send."""

import asyncio
import logging
from collections.abc import Sequence

from ibex.context.learning import PendingTurn, PendingTurns
from ibex.context.redundancy import terms
from ibex.context.retrieval import Recalled, of_memory
from ibex.memory import Memory, MemorySearch, Scope
from ibex.storage import DatabaseUnavailableError

logger = logging.getLogger(__name__)

# Three exchanges.
_MOST_OF_SESSION = 6


class RecentTurns:
    """Reads both beside the search, as far as there is time.

    Parameters
    ----------
    timeout: seconds for the session's turns.
    """

    def __init__(self, pending: PendingTurns, search: MemorySearch, *, timeout: float) -> None:
        self._pending = pending
        self._search = search
        self._timeout = timeout

    async def of(self, scope: Scope, question: str, *, has_history: bool) -> list[Recalled]:
        """What was said last. Raises nothing: without its sources it is nothing.

        Parameters
        ----------
        has_history: whether the client sends what was said before; else the last turns of the session are
            told, whatever they are about.
        """
        pending, stored = await asyncio.gather(
            self._pending.of(scope), self._of_session(scope) if not has_history else _nothing()
        )
        # Due before anything that a search finds, the last exchange first.
        recalled = [
            of_memory(memory, "session", score=2.0 - rank / _MOST_OF_SESSION)
            for rank, memory in enumerate(stored)
        ]
        asked = terms(question) if pending else frozenset()
        recalled += [
            each
            for turn in pending
            for each in _of_turn(turn, asked, is_due=not has_history and turn.session_id == scope.session_id)
        ]
        return recalled

    async def _of_session(self, scope: Scope) -> Sequence[Memory]:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._search.latest(scope, _MOST_OF_SESSION)
        except (DatabaseUnavailableError, TimeoutError) as error:
            logger.warning("the turns of a session cannot be read (%s)", type(error).__name__)
            return ()


async def _nothing() -> Sequence[Memory]:
    return ()


def _of_turn(turn: PendingTurn, asked: frozenset[str], *, is_due: bool) -> list[Recalled]:
    """The parts of a turn that have to do with the question; all of them when the turn is due."""
    recalled = []
    for said in turn.said:
        shared = len(asked & terms(said.text)) / max(len(asked), 1)
        if is_due or shared:
            recalled.append(
                Recalled(
                    id=None,
                    kind="episodic",
                    text=said.text,
                    voice=said.role,
                    observed_at=turn.at,
                    pinned=False,
                    source="session",
                    score=2.0 if is_due else shared,
                )
            )
    return recalled
