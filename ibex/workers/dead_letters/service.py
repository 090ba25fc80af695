"""What can be done to dead letters."""

from typing import Protocol
from uuid import UUID

from redis.exceptions import RedisError

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.names import conflict, no_access
from ibex.errors import ErrorCode, IbexError
from ibex.storage import Postgres
from ibex.workers.dead_letters import repository
from ibex.workers.dead_letters.letter import DeadLetter


class Requeue(Protocol):
    """The queue, for what was given up."""

    async def put_again(self, name: str, job_id: str, payload: bytes) -> bool:
        """Leave a job as if it had never been tried; False when there is no room for it."""
        ...


class DeadLetterService:
    """Dead letters of one organization; each change is one transaction, and audited.

    Everything raises ACCESS_DENIED for what the organization does not have.
    """

    def __init__(self, postgres: Postgres, queue: Requeue) -> None:
        self._postgres = postgres
        self._queue = queue

    async def page(self, org_id: UUID, name: str | None, after: UUID | None, limit: int) -> list[DeadLetter]:
        """Those of one name, or all, in the order in which they died."""
        return await repository.page(self._postgres, org_id, name, after, limit)

    async def get(self, org_id: UUID, letter_id: UUID) -> DeadLetter:
        found = await repository.find(self._postgres, org_id, letter_id)
        if found is None:
            raise no_access("dead letter")
        return found

    async def replay(self, actor: Actor, letter_id: UUID) -> None:
        """Put the job back into the queue, under its id and with all of its tries; it is no dead letter then.

        Of two who do so at once, one does. A crash in between leaves it in both places, and the job does no
        harm when it is done again. Raises CONFLICT when its payload cannot be read, and SERVICE_DEGRADED when
        the queue is away or full.
        """
        async with self._postgres.transaction(actor.org_id) as connection:
            letter = await repository.remove(connection, letter_id)
            if letter is None:
                raise no_access("dead letter")
            if letter.payload is None:
                raise conflict("Its payload could not be read, so it cannot be done. Discard it.")
            try:
                has_room = await self._queue.put_again(letter.name, letter.job_id, letter.payload)
            except (RedisError, OSError):
                raise _degraded("The job queue cannot be reached. Try again in a moment.") from None
            if not has_room:
                raise _degraded("The job queue is full. Try again when the workers have caught up.")
            event = AuditEvent.of(actor, "dead_letter.replay", letter_id, job=letter.name)
            await audit.record(connection, event)

    async def discard(self, actor: Actor, letter_id: UUID) -> None:
        """Forget the job for good."""
        async with self._postgres.transaction(actor.org_id) as connection:
            letter = await repository.remove(connection, letter_id)
            if letter is None:
                raise no_access("dead letter")
            event = AuditEvent.of(actor, "dead_letter.discard", letter_id, job=letter.name)
            await audit.record(connection, event)


def _degraded(message: str) -> IbexError:
    return IbexError(ErrorCode.SERVICE_DEGRADED, message)
