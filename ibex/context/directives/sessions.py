"""Sessions keep the version of a directive that they have, as long as it may be used.

All processes agree on it through Redis. They ask it only while an agent has more than one version in use, at
the first two calls of a session and then once an hour; what a process has seen of a session before that it
remembers by itself. Without Redis each goes by what it remembers, else by what is drawn, which is the same
everywhere.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

from redis.exceptions import RedisError

from ibex.context.directives.directive import Directive
from ibex.context.directives.rollout import InUse, mark
from ibex.storage import Redis, organization_key

logger = logging.getLogger(__name__)

# A session that is silent for longer begins anew (seconds). After its first call it is less: where most
# sessions have no second one, a thousand of them in a second are 0.7 GB in Redis and not 18 (205 bytes each,
# measured).
_KEEP = 86_400
_KEEP_AT_FIRST = 3_600
_ASK_AGAIN_AFTER = 3_600.0
_TRY_AGAIN_AFTER = 1.0
# 3 MB, if they all have ids of 64 characters (measured).
_MOST_REMEMBERED = 10_000

_Key = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """The mark of a session's version, and until when the others need not be asked."""

    mark: str
    fresh_until: float


class SessionVersions:
    """Which version each session has.

    Parameters
    ----------
    timeout: seconds to wait for Redis.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        timeout: float,
        capacity: int = _MOST_REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._timeout = timeout
        self._capacity = capacity
        self._clock = clock
        self._known: OrderedDict[_Key, _Known] = OrderedDict()
        self._redis_is_away_until = float("-inf")

    def note(self, agent_id: UUID, conversation: str, has: str) -> None:
        """Remember the mark of what a session has had, while there is no choice."""
        key = (agent_id, conversation)
        known = self._known.get(key)
        if known is None or known.mark != has:
            self._remember(key, _Known(has, float("-inf")))

    async def of(self, org_id: UUID, agent_id: UUID, conversation: str, in_use: InUse) -> Directive | None:
        """The version that a session has, while there is a choice. Never fails."""
        key = (agent_id, conversation)
        known = self._known.get(key)
        has = None if known is None else in_use.by_mark.get(known.mark)
        now = self._clock()
        if known is not None and has is not None and now < known.fresh_until:
            return has
        proposed = has or in_use.drawn(conversation)
        if proposed is None:
            return None
        fresh_until = float("-inf")
        if now >= self._redis_is_away_until:
            try:
                async with asyncio.timeout(self._timeout):
                    agreed = await self._agreed(org_id, agent_id, conversation, proposed, in_use)
                if agreed is not None:
                    proposed, fresh_until = agreed, now + _ASK_AGAIN_AFTER
            except (RedisError, OSError, TimeoutError) as error:
                self._redis_is_away_until = now + _TRY_AGAIN_AFTER
                logger.warning("sessions keep their directives by themselves (%s)", type(error).__name__)
        self._remember(key, _Known(mark(proposed), fresh_until))
        return proposed

    async def _agreed(
        self, org_id: UUID, agent_id: UUID, conversation: str, proposed: Directive, in_use: InUse
    ) -> Directive | None:
        """What was said first of a session, if that may still be used, else what is proposed; None when
        nobody has said anything before."""
        session = blake2b(conversation.encode(), digest_size=16, key=agent_id.bytes).hexdigest()
        key = organization_key(org_id, "directive", session)
        stored = await self._redis.set(key, mark(proposed), nx=True, get=True, ex=_KEEP_AT_FIRST)
        if stored is None:
            return None
        agreed = in_use.by_mark.get(stored.decode("latin-1"))
        if agreed is None:
            await self._redis.set(key, mark(proposed), ex=_KEEP)
            return proposed
        await self._redis.expire(key, _KEEP)
        return agreed

    def _remember(self, key: _Key, known: _Known) -> None:
        """The session that was noted longest ago makes room."""
        if len(self._known) >= self._capacity and key not in self._known:
            self._known.popitem(last=False)
        self._known[key] = known
