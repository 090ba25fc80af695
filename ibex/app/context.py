"""The parts of `context`."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter

from ibex.app.auth import AuthParts
from ibex.app.shared import Connections
from ibex.context import Assembler, Learning, ReceiptLog, UsageObserver
from ibex.context.directives import DirectiveResolver, DirectiveService, SessionVersions
from ibex.context.directives import endpoints as directive_endpoints
from ibex.context.learning import LearningChoices, PendingTurns
from ibex.context.models import ModelCatalogue
from ibex.context.packing import PackingRules
from ibex.context.previewing import Previews
from ibex.context.previewing import endpoints as preview_endpoints
from ibex.context.recall import Recall
from ibex.context.receipts import Receipts
from ibex.context.receipts import endpoints as receipt_endpoints
from ibex.context.recent import RecentTurns
from ibex.context.repeated import RepeatedTurns
from ibex.context.retrieval import Retrieval
from ibex.context.room import Rooms
from ibex.context.tokens import TokenCounter, Vocabulary
from ibex.memory import MemoryParts
from ibex.settings import ContextSettings, Settings
from ibex.storage import Postgres, Redis, Stores, connect_single
from ibex.telemetry import Instruments
from ibex.workers import JobQueue

# For a command to the queue (seconds); nobody waits for it.
_QUEUE_PATIENCE = 2.0
# Whoever asks for memory has half of the deadline for what is beside the search.
_SHARE_OF_RECENT = 0.5
# Of 40 kB each at most.
_MOST_RECEIPTS = 2_000
# Seconds that somebody at a terminal waits.
_PATIENCE_OF_COMMAND = 5


class ContextParts:
    """What agents are told beside what their clients send, and what is learned from what they answer.

    Parameters
    ----------
    vocabulary: loaded before, or counts are estimates.
    """

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        stores: Stores,
        instruments: Instruments,
        auth: AuthParts,
        memory: MemoryParts,
        vocabulary: Vocabulary,
    ) -> None:
        self._auth = auth
        self._memory = memory
        self._instruments = instruments
        self._resolver = _resolver(settings, stores.looking_up, stores.redis, auth.feed_is_live)
        self._directives = DirectiveService(stores.looking_up, auth.administration.changes)
        catalogue = ModelCatalogue.of_package(settings.context.models)
        counter = TokenCounter(catalogue, vocabulary)
        pending = PendingTurns(stores.redis, within=settings.redis_timeout_seconds)
        self._recall = _recall(settings, stores.redis, memory, pending)
        self.assembler = _assembler(
            settings, connections.pepper, self._resolver, self._recall, catalogue, counter
        )
        self.usage = UsageObserver(catalogue, counter)
        self.cost = catalogue.cost
        self.receipts = ReceiptLog(
            stores.writing,
            capacity=min(settings.turn_buffer, _MOST_RECEIPTS),
            dropped=lambda n: instruments.rows_dropped.add("receipt", amount=n),
        )
        choices = LearningChoices(
            stores.looking_up,
            cache_seconds=settings.token_cache_seconds,
            timeout=settings.auth_timeout_seconds,
            feed_is_live=auth.feed_is_live,
        )
        self._queue = connect_single(connections.queue_url(settings), timeout=_QUEUE_PATIENCE)
        self.learning = Learning(
            choices,
            pending,
            JobQueue(self._queue),
            dropped=lambda n: instruments.rows_dropped.add("lesson", amount=n),
        )
        self._reading = Receipts(stores.looking_up, memory.lifecycle)
        for part in (self._resolver, choices):
            auth.tell(part.forget)

    def routers(self) -> Sequence[APIRouter]:
        access, agents = self._auth.access, self._auth.administration.agents
        memories = self._memory.lifecycle
        return [
            *directive_endpoints.routers(self._directives, access, agents),
            receipt_endpoints.router(self._reading, access),
            preview_endpoints.router(Previews(self.assembler, memories), memories, access),
        ]

    def start(self, running: AsyncExitStack) -> None:
        running.push_async_callback(self._queue.aclose)
        self.receipts.start()
        running.push_async_callback(self.receipts.close, within=5.0)
        self.learning.start()
        running.push_async_callback(self.learning.close, within=5.0)
        for part in (self._recall, self.assembler, self.usage):
            running.push_async_callback(part.close)

    def flush(self) -> None:
        self._instruments.rows_waiting.set("receipt", value=len(self.receipts))
        self._instruments.rows_waiting.set("lesson", value=len(self.learning))


@asynccontextmanager
async def previewing(
    settings: Settings, pepper: bytes, postgres: Postgres, redis: Redis, memory: MemoryParts
) -> AsyncIterator[Previews]:
    """Previews for a command, which waits for a search that has nothing in its cache yet."""
    patient = settings.model_copy(
        update={"context": settings.context.model_copy(update={"deadline_ms": _PATIENCE_OF_COMMAND * 1_000})}
    )
    catalogue = ModelCatalogue.of_package(settings.context.models)
    vocabulary = Vocabulary()
    vocabulary.load()
    resolver = _resolver(settings, postgres, redis, lambda: False)
    recall = _recall(patient, redis, memory, PendingTurns(redis))
    assembler = _assembler(settings, pepper, resolver, recall, catalogue, TokenCounter(catalogue, vocabulary))
    try:
        yield Previews(assembler, memory.lifecycle)
    finally:
        await assembler.close()
        await recall.close()


def _assembler(
    settings: Settings,
    pepper: bytes,
    resolver: DirectiveResolver,
    recall: Recall,
    catalogue: ModelCatalogue,
    counter: TokenCounter,
) -> Assembler:
    return Assembler(
        resolver,
        recall,
        Rooms(catalogue, counter),
        counter,
        most=settings.context.memory_tokens,
        rules=_rules(settings.context),
        secret=hmac.digest(pepper, b"ibex nonces", hashlib.sha256),
    )


def _rules(settings: ContextSettings) -> PackingRules:
    return PackingRules(
        floors={str(kind): tokens for kind, tokens in settings.floors.items()},
        ceilings={str(kind): tokens for kind, tokens in settings.ceilings.items()},
    )


def _resolver(
    settings: Settings, postgres: Postgres, redis: Redis, feed_is_live: Callable[[], bool]
) -> DirectiveResolver:
    return DirectiveResolver(
        postgres,
        SessionVersions(redis, timeout=settings.redis_timeout_seconds),
        cache_seconds=settings.token_cache_seconds,
        timeout=settings.auth_timeout_seconds,
        feed_is_live=feed_is_live,
    )


def _recall(settings: Settings, redis: Redis, memory: MemoryParts, pending: PendingTurns) -> Recall:
    deadline = settings.context.deadline_ms / 1_000
    within = deadline * _SHARE_OF_RECENT
    return Recall(
        memory.search,
        Retrieval(memory.search, memory.hot_set, deadline=deadline, most=settings.context.candidates),
        RecentTurns(pending, memory.search, timeout=within),
        RepeatedTurns(redis, timeout=within),
        timeout=within,
    )
