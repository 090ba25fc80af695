"""What a worker does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Payload = Mapping[str, Any]

# `failed` is a try after which there is another one; `dead` was put with the dead letters, and `lost` could
# not be, because it belongs to no organization.
Outcome = Literal["done", "failed", "dead", "lost"]
# Told of each try, by the name of the job.
Count = Callable[[str, Outcome], None]
# Seconds.
RETRIES = (1.0, 10.0, 100.0)


def count_nothing(name: str, outcome: Outcome) -> None:
    """For workers whose work nobody measures."""


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A job that runs when a worker starts, and then every minute in one worker of all.

    It may run twice, so doing it again must do no harm.

    `name` is `noun.verb`. `timeout` is in seconds.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is done when somebody puts it into the queue, with what they have put there.

    It may run twice with the same payload, so doing it again must do no harm. Payloads are JSON objects; that
    of a job of an organization has its id as `org_id`, and the id of the job is `<name>:<org_id>:<which>`, so
    that it goes with the organization, or to its dead letters.

    `name` is `noun.verb`. `timeout` is in seconds. After a try that has failed there is another one, after as
    many seconds as `retries` says; after the last of them the job is given up.
    """

    name: str
    run: Callable[[Payload], Awaitable[None]]
    timeout: float = 60.0
    retries: tuple[float, ...] = RETRIES
