"""The parts of `archive`: what is said in sessions, from the call to the object."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

from fastapi import APIRouter

from ibex.app.auth import AuthParts
from ibex.archive import ContentChoices, ContentLog, SessionArchive, SessionContents, endpoints
from ibex.settings import Settings
from ibex.storage import Postgres, Stores
from ibex.storage.objects import ObjectStore, open_objects
from ibex.telemetry import Instruments
from ibex.telemetry.endpoints import Dependency

_FOLDER = "objects"


def object_store(settings: Settings) -> ObjectStore:
    """S3 when there is an address, else a folder of the data directory. Raises `ObjectStoreError`."""
    url = settings.s3_url.get_secret_value() if settings.s3_url else None
    return open_objects(settings.data_dir / _FOLDER, url, timeout=settings.s3_timeout_seconds)


def session_archive(settings: Settings, postgres: Postgres, objects: ObjectStore) -> SessionArchive:
    return SessionArchive(
        postgres,
        objects,
        idle=timedelta(minutes=settings.session_idle_minutes),
        most_days=settings.content_days,
    )


class ArchiveParts:
    """What a web process needs: it stores what is said, and shows it wherever it is."""

    def __init__(self, settings: Settings, stores: Stores, instruments: Instruments, auth: AuthParts) -> None:
        self._auth = auth
        self._instruments = instruments
        self._is_elsewhere = settings.s3_url is not None
        self._objects = object_store(settings)
        choices = ContentChoices(
            stores.looking_up,
            cache_seconds=settings.token_cache_seconds,
            timeout=settings.auth_timeout_seconds,
            feed_is_live=auth.feed_is_live,
        )
        auth.tell(choices.forget)
        self.log = ContentLog(
            stores.writing,
            choices,
            limit=settings.content_turn_bytes,
            dropped=lambda n: instruments.rows_dropped.add("content", amount=n),
        )
        self._sessions = SessionContents(
            stores.looking_up, self._objects, session_archive(settings, stores.looking_up, self._objects)
        )

    def routers(self) -> Sequence[APIRouter]:
        auth = self._auth
        return [endpoints.router(self._sessions, auth.access, auth.administration.agents)]

    def dependencies(self) -> list[Dependency]:
        """What `/ready` tells of; a folder is there."""

        async def check() -> str:
            await self._objects.ping()
            return "connected"

        if not self._is_elsewhere:
            return []
        away = "sessions wait in Postgres for their archive, and archived ones cannot be read"
        return [Dependency("objects", check, is_required=False, when_away=away)]

    def start(self, running: AsyncExitStack) -> None:
        self.log.start()
        running.push_async_callback(self.log.close, within=5.0)

    def flush(self) -> None:
        self._instruments.rows_waiting.set("content", value=len(self.log))
