"""Puts together what a model is told: the directive, and the memories that belong to the call."""

import asyncio
import logging
from collections.abc import Sequence
from hashlib import blake2b

from ibex.auth import Permission
from ibex.context import formatting
from ibex.context.assembled import Assembled
from ibex.context.choosing import chosen
from ibex.context.conversation import Conversation, conversation_of
from ibex.context.directives import Directive, DirectiveResolver, DirectiveUnavailableError
from ibex.context.front import Front
from ibex.context.issuing import Stopwatch, as_it_came, issued
from ibex.context.learning import Told
from ibex.context.packing import PackingRules
from ibex.context.recall import Recall
from ibex.context.receipts import Rung
from ibex.context.retrieval import Retrieved
from ibex.context.room import Room, Rooms
from ibex.context.tokens import TokenCounter
from ibex.context.turn import ChatTurn
from ibex.errors import IbexError

logger = logging.getLogger(__name__)

_NOT_WANTED = Retrieved((), Rung.SKIPPED, None)
_FAILED = Retrieved((), Rung.DIRECTIVE_ONLY, "Something failed that should not have.")


class Assembler:
    """Gives each call its context. Whatever fails of it, the call goes on, by the next rung of the ladder:
    all of it, the hot cache only, the directive only, the request as it came.

    Parameters
    ----------
    most: tokens of memories in one call.
    rules: of what goes in besides value.
    secret: of which nonces are made.
    """

    def __init__(
        self,
        directives: DirectiveResolver,
        recall: Recall,
        rooms: Rooms,
        counter: TokenCounter,
        *,
        most: int,
        rules: PackingRules,
        secret: bytes,
    ) -> None:
        self._directives = directives
        self._recall = recall
        self._rooms = rooms
        self._counter = counter
        self._most = most
        self._rules = rules
        self._secret = secret
        self._background: set[asyncio.Task[None]] = set()

    async def assemble(self, turn: ChatTurn) -> Assembled:
        """What the model is told, and the receipt.

        Raises what the client is to mend: CONTEXT_LENGTH_EXCEEDED, and for a directive that the request names
        INSUFFICIENT_PERMISSIONS, VALIDATION_ERROR, ACCESS_DENIED, CONFLICT and SERVICE_DEGRADED.
        """
        watch = Stopwatch()
        conversation = conversation_of(turn.dialect, turn.fields)
        try:
            return await self._assemble(turn, conversation, watch)
        except IbexError as error:
            if isinstance(error, DirectiveUnavailableError) and turn.directive is None:
                logger.warning("a call goes on without its context: %s", error.message)
                return as_it_came(turn, conversation, watch)
            raise
        except Exception:
            logger.exception("the context of request %s failed; the call goes on without", turn.request_id)
            return as_it_came(turn, conversation, watch)

    async def close(self) -> None:
        """Wait for what was started in the background."""
        if self._background:
            await asyncio.wait(self._background, timeout=1.0)

    async def _assemble(self, turn: ChatTurn, conversation: Conversation, watch: Stopwatch) -> Assembled:
        key = _key(turn, conversation)
        most = 0 if turn.skips_memory else self._most if turn.memory_tokens is None else turn.memory_tokens
        directive, retrieved = await self._gathered(turn, conversation, key, most, watch)
        with watch.timing("packing"):
            front = self._front(turn, key, directive, has_memory=_may_be_told(turn, retrieved, most))
            room = await self._room(turn, conversation, front, most)
            told = chosen(
                retrieved.recalled,
                room.budget.memories,
                lambda text: self._count(turn, text),
                said=() if retrieved.is_repeated else conversation.texts,
                without=turn.without,
                rules=self._rules,
            )
        memories = formatting.block(front.nonce, told.lines) if told.lines else None
        fields = conversation.with_context(front.injection, memories, front.notice)
        if front.notice is not None:
            self._keep(turn, conversation, key, told.told, is_all=retrieved.rung is Rung.COMPLETE)
        return issued(turn, conversation, fields, front, room, retrieved, told, watch)

    async def _gathered(
        self, turn: ChatTurn, conversation: Conversation, key: str, most: int, watch: Stopwatch
    ) -> tuple[Directive | None, Retrieved]:
        """The directive and the memories, looked for side by side where both are wanted."""
        if most <= 0:
            with watch.timing("directive"):
                return await self._directive(turn, key), _NOT_WANTED
        recalling = asyncio.create_task(self._recalled(turn, conversation, key), name="context-recall")
        try:
            with watch.timing("directive"):
                directive = await self._directive(turn, key)
            with watch.timing("retrieval"):
                return directive, await recalling
        finally:
            recalling.cancel()

    async def _directive(self, turn: ChatTurn, key: str) -> Directive | None:
        if turn.directive is None:
            return await self._directives.resolve(turn.principal, key)
        turn.principal.require(Permission.DIRECTIVE_READ)
        return await self._directives.named(turn.principal, turn.directive)

    async def _recalled(self, turn: ChatTurn, conversation: Conversation, key: str) -> Retrieved:
        try:
            return await self._recall.of(turn, conversation, key)
        except Exception:
            logger.exception("no memories are told to request %s", turn.request_id)
            return _FAILED

    def _front(self, turn: ChatTurn, key: str, directive: Directive | None, *, has_memory: bool) -> Front:
        principal = turn.principal
        directive_tokens = 0 if directive is None else self._count(turn, directive.content)
        if not has_memory:
            return Front(directive, "", None, directive_tokens, notice_tokens=0)
        nonce = formatting.nonce(self._secret, f"{principal.org_id}:{principal.agent_id}:{key}")
        notice = formatting.notice(nonce)
        return Front(directive, nonce, notice, directive_tokens, self._count(turn, notice))

    async def _room(self, turn: ChatTurn, conversation: Conversation, front: Front, most: int) -> Room:
        around = 0 if front.notice is None else self._count(turn, formatting.block(front.nonce, ()))
        return await self._rooms.of(
            turn, conversation, besides=front.directive_tokens + front.notice_tokens + around, most=most
        )

    def _count(self, turn: ChatTurn, text: str) -> int:
        return max(self._counter.count(text, model) for model in turn.models)

    def _keep(
        self, turn: ChatTurn, conversation: Conversation, key: str, told: Sequence[Told], *, is_all: bool
    ) -> None:
        """Only agents with tools go on with a turn; nobody waits for this."""
        if conversation.is_continued or not turn.fields.get("tools"):
            return
        keeping = asyncio.create_task(
            self._recall.keep(turn, conversation, key, told, is_all=is_all), name="context-keep-told"
        )
        self._background.add(keeping)
        keeping.add_done_callback(self._background.discard)


def _may_be_told(turn: ChatTurn, retrieved: Retrieved, most: int) -> bool:
    """Whether the front says how memories are marked: wherever some may be told in this or a later turn.

    A stranger, who brings neither an end user nor a session, is told what the agent knows of nobody. Where
    it knows nothing of the kind, the request stays as it came.
    """
    is_told = turn.is_known_again or retrieved.has_memories or bool(retrieved.recalled)
    return most > 0 and is_told


def _key(turn: ChatTurn, conversation: Conversation) -> str:
    """What stays the same over the turns of a conversation, also when its client names no session."""
    if turn.names_session and turn.session_id is not None:
        return f"session:{len(turn.session_id)}:{turn.session_id}:{turn.user_id or ''}"
    opening = blake2b(conversation.opening.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return f"opening:{opening}:{turn.user_id or ''}"
