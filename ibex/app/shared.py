"""What the parts of every module are given."""

from dataclasses import dataclass, field

import ibex
from ibex.auth import KeyRing
from ibex.http import ClientAddress, Deadlines
from ibex.settings import Settings
from ibex.telemetry import AccessLog, Instruments, Tracing

# What IBEX calls itself towards other services.
USER_AGENT = f"ibex/{ibex.__version__}"


@dataclass(frozen=True, slots=True)
class Connections:
    """Where the data is, and the secrets under which tokens and provider keys are stored."""

    postgres_dsn: str = field(repr=False)
    redis_url: str = field(repr=False)
    pepper: bytes = field(repr=False)
    master_keys: KeyRing

    def queue_url(self, settings: Settings) -> str:
        """Where the job queue is."""
        queue = settings.queue_redis_url
        return self.redis_url if queue is None else queue.get_secret_value()


@dataclass(frozen=True, slots=True)
class Shared:
    """What the modules share: how each is seen from outside, and how it sees who calls."""

    instruments: Instruments
    access_log: AccessLog
    spans: Tracing
    deadlines: Deadlines
    client_address: ClientAddress
