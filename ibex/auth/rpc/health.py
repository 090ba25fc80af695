"""The standard health service (grpc.health.v1): whether tokens can be looked up."""

import asyncio

import psycopg
from grpc_health.v1 import health
from grpc_health.v1.health_pb2 import HealthCheckResponse

from ibex.auth.rpc.watchers import Watchers
from ibex.auth.v1 import auth_pb2
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.tasks import BackgroundTask

_NAMES = (health.OVERALL_HEALTH, auth_pb2.DESCRIPTOR.services_by_name["AuthService"].full_name)
_ASK_EVERY = 0.5
_PATIENCE = 1.0


class HealthService(health.aio.HealthServicer):  # type: ignore[misc]
    """SERVING while Postgres answers. Open to everybody, because probes have no token."""

    def __init__(self, postgres: Postgres) -> None:
        super().__init__()
        self._postgres = postgres
        self._watchers = Watchers()
        self._looking = BackgroundTask("grpc-health", self._keep_looking)

    async def start(self) -> None:
        await self._look()
        self._looking.start()

    async def stop(self) -> None:
        """NOT_SERVING from now on, and nobody is waited for who only watches."""
        await self._looking.stop()
        await self.enter_graceful_shutdown()
        await self._watchers.send_away()

    async def Watch(self, request: object, context: object) -> None:  # noqa: N802
        async with self._watchers.one_more(context):
            await super().Watch(request, context)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_ASK_EVERY)
            await self._look()

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._postgres.ping()
        except (DatabaseUnavailableError, psycopg.Error, TimeoutError):
            status = HealthCheckResponse.NOT_SERVING
        else:
            status = HealthCheckResponse.SERVING
        for name in _NAMES:
            await self.set(name, status)
