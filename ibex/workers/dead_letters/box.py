"""Where jobs that are given up are kept."""

from psycopg import errors

from ibex.ids import uuid7
from ibex.outbox import Event, emit
from ibex.storage import Postgres
from ibex.workers.dead_letters import repository
from ibex.workers.given_up import GivenUp


class DeadLetterBox:
    """Keeps each with the news of it, or neither."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def add(self, job: GivenUp) -> bool:
        """False when its organization is gone. Raises `DatabaseUnavailableError`."""
        letter_id = uuid7()
        told = {
            "dead_letter_id": str(letter_id),
            "name": job.name,
            "job_id": job.job_id,
            "error": job.error,
            "tries": job.tries,
        }
        event = Event(job.org_id, letter_id, "job.dead", job.died_at, told)
        try:
            async with self._postgres.transaction(job.org_id) as connection:
                if await repository.insert(connection, letter_id, job):
                    await emit(connection, event)
        except errors.ForeignKeyViolation:
            return False
        return True
