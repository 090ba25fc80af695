"""One try of one job, and what becomes of a job that fails."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from ibex.storage import DatabaseUnavailableError
from ibex.workers.attempts import AttemptBook, Attempts
from ibex.workers.given_up import DeadLetterSink, GivenUp
from ibex.workers.jobs import RETRIES, Count, Job

logger = logging.getLogger(__name__)

# Workers that have died under a job. One may have died for another reason, and two in an upgrade that went
# wrong; a job under which three have died is taken to be why.
_MOST_CUT_OFF = 3
# Seconds. Of the jobs that were cut off together one kills its worker, and none of the others is to be there
# when it does so again: whoever finds another one running comes back after the pause, and whoever runs gives
# those that were taken from the queue with it the time to step back.
_STEP_BACK = 0.25
_PAUSE = 1.0
# Between two tries to put a job with the dead letters (seconds).
_UNTIL_KEPT = 10.0
_MOST_KEYS = 50
_LONGEST_KEY = 100


@dataclass(frozen=True, slots=True)
class LeftJob:
    """A job as it was found in the queue.

    Parameters
    ----------
    payload: None when it could not be read.
    tries: that have begun, with this one.
    """

    name: str
    id: str
    payload: dict[str, Any] | None = field(repr=False)
    tries: int


@dataclass(frozen=True, slots=True)
class Later:
    """The job is to be tried again after so many seconds. `is_try` is whether this was a try of it."""

    seconds: float
    is_try: bool


class Execution:
    """Does the jobs of one process.

    Parameters
    ----------
    dead_letters: takes what is given up; without, that is lost.
    """

    def __init__(
        self, jobs: Iterable[Job], book: AttemptBook, dead_letters: DeadLetterSink | None, count: Count
    ) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._book = book
        self._dead_letters = dead_letters
        self._count = count
        self._has_suspect = False

    async def run(self, left: LeftJob) -> Later | None:
        """None: there is nothing more to do about it. Raises `redis.RedisError` and `OSError` of the book."""
        before = await self._book.of(left.id) if left.tries > 1 else Attempts()
        job = self._jobs.get(left.name)
        retries = RETRIES if job is None else job.retries
        was_cut_off = left.tries - 1 - before.failures
        if left.payload is None:
            return await self._give_up(left, before, "UnreadablePayload", is_try=False)
        if was_cut_off >= _MOST_CUT_OFF:
            return await self._give_up(left, before, "WorkerDied", is_try=False)
        if was_cut_off > 0:
            return await self._run_alone(left, left.payload, job, retries)
        return await self._try(left, left.payload, job, retries)

    async def _run_alone(
        self, left: LeftJob, payload: dict[str, Any], job: Job | None, retries: tuple[float, ...]
    ) -> Later | None:
        """One of those that were cut off at a time, so that none of them is blamed for another."""
        if self._has_suspect:
            return Later(_PAUSE, is_try=False)
        self._has_suspect = True
        try:
            await asyncio.sleep(_STEP_BACK)
            return await self._try(left, payload, job, retries)
        finally:
            self._has_suspect = False

    async def _try(
        self, left: LeftJob, payload: dict[str, Any], job: Job | None, retries: tuple[float, ...]
    ) -> Later | None:
        if job is None:
            # In an upgrade another worker may know it.
            logger.warning("nobody here knows a job %s", left.name)
            return await self._failed(left, retries, "UnknownJob")
        try:
            async with asyncio.timeout(job.timeout):
                await job.run(payload)
        except Exception as error:
            is_last = left.tries > len(retries)
            logger.log(
                logging.ERROR if is_last else logging.WARNING,
                "a job %s has failed (%s)",
                job.name,
                type(error).__name__,
                exc_info=error if is_last else None,
            )
            return await self._failed(left, retries, type(error).__name__)
        self._count(job.name, "done")
        if left.tries > 1:
            await self._book.forget(left.id)
        return None

    async def _failed(self, left: LeftJob, retries: tuple[float, ...], error: str) -> Later | None:
        attempts = await self._book.failed(left.id)
        if attempts.failures > len(retries):
            return await self._give_up(left, attempts, error, is_try=True)
        self._count(left.name, "failed")
        return Later(retries[attempts.failures - 1], is_try=True)

    async def _give_up(self, left: LeftJob, attempts: Attempts, error: str, *, is_try: bool) -> Later | None:
        """Put it with the dead letters. While that cannot be done, the job is tried on: what keeps it from
        being done may be the same, as when Postgres is away."""
        org_id, now, is_kept = _organization(left), datetime.now(UTC), False
        if org_id is not None and self._dead_letters is not None:
            dead = GivenUp(
                org_id=org_id,
                name=left.name,
                job_id=left.id,
                payload=None if left.payload is None else orjson.dumps(left.payload),
                keys=_keys(left.payload),
                tries=left.tries if is_try else max(1, left.tries - 1),
                error=error,
                first_failed_at=attempts.since or now,
                died_at=now,
            )
            try:
                is_kept = await self._dead_letters.add(dead)
            except DatabaseUnavailableError:
                logger.warning("a job %s stays in the queue: the database is away", left.name)
                return Later(_UNTIL_KEPT, is_try)
            except Exception:
                logger.exception("a job %s stays in the queue: it cannot be a dead letter", left.name)
                return Later(_UNTIL_KEPT, is_try)
        if is_kept:
            logger.error("a job %s was given up (%s) and is a dead letter", left.name, error)
        else:
            logger.error("a job %s was given up (%s) and lost: it has no organization", left.name, error)
        self._count(left.name, "dead" if is_kept else "lost")
        await self._book.forget(left.id)
        return None


def _organization(left: LeftJob) -> UUID | None:
    """Whose it is, as its payload says, or else its id."""
    named = [None if left.payload is None else left.payload.get("org_id"), *left.id.split(":")[1:2]]
    for each in named:
        try:
            return UUID(each)
        except (ValueError, TypeError, AttributeError):
            continue
    return None


def _keys(payload: dict[str, Any] | None) -> tuple[str, ...]:
    found = sorted(payload or ())[:_MOST_KEYS]
    return tuple(key.replace("\0", "")[:_LONGEST_KEY] for key in found)
