"""The models a caller may ask for: those declared by name, and those that providers list themselves."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ibex.http1 import BrokenAnswerError, UnreachableError
from ibex.proxy.providers.calling import Upstream
from ibex.proxy.routing import Router
from ibex.tasks import SharedTask

logger = logging.getLogger(__name__)

_KEPT_FOR = 300.0
_KEPT_AFTER_FAILURE = 15.0

Model = Mapping[str, Any]


class ModelList:
    """Asks the providers now and then; one that does not answer is left out until it does."""

    def __init__(
        self,
        router: Router,
        upstreams: Mapping[str, Upstream],
        *,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._router = router
        self._upstreams = upstreams
        self._timeout = timeout
        self._clock = clock
        self._listed: dict[str, tuple[float, Sequence[Model]]] = {}
        self._asking: dict[str, SharedTask[Sequence[Model]]] = {}

    async def all(self) -> list[Model]:
        """Declared models first, then what each provider lists and is declared to serve; by id."""
        models: dict[str, Model] = {
            model: {"id": model, "object": "model", "created": 0, "owned_by": owner}
            for model, owner in self._router.exact_models()
        }
        for name, listed in zip(
            self._upstreams, await asyncio.gather(*(self._of(name) for name in self._upstreams)), strict=True
        ):
            for model in listed:
                if self._router.serves(name, model["id"]):
                    models.setdefault(model["id"], model)
        return list(models.values())

    async def _of(self, name: str) -> Sequence[Model]:
        fresh_until, models = self._listed.get(name, (0.0, ()))
        if self._clock() < fresh_until:
            return models
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = SharedTask(
                self._ask(name), "list-models", lambda _: self._asking.pop(name)
            )
        return await asking.result()

    async def _ask(self, name: str) -> Sequence[Model]:
        _, before = self._listed.get(name, (0.0, ()))
        try:
            async with asyncio.timeout(self._timeout):
                models = await self._upstreams[name].provider.models()
        except (UnreachableError, BrokenAnswerError, TimeoutError) as error:
            logger.warning("provider %s does not list its models: %s", name, type(error).__name__)
            self._listed[name] = (self._clock() + _KEPT_AFTER_FAILURE, before)
            return before
        self._listed[name] = (self._clock() + _KEPT_FOR, models)
        return models
