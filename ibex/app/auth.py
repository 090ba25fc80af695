"""The parts of `auth`."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

from fastapi import APIRouter

from ibex.app.shared import Connections, Shared
from ibex.auth import (
    Administration,
    AuditEvent,
    AuditTrail,
    Change,
    ChangeFeed,
    HeldOff,
    LimitBook,
    LimitDefaults,
    OrganizationKeys,
    Principal,
    Quota,
    RateLimiter,
    RefusalAudit,
    TokenValidator,
    endpoints,
)
from ibex.auth.access import Access
from ibex.settings import Settings
from ibex.storage import Stores


class AuthParts:
    """Who may call and how often, and the record of it."""

    def __init__(self, settings: Settings, connections: Connections, stores: Stores, shared: Shared) -> None:
        self._instruments = shared.instruments
        self._audit = AuditTrail(stores.writing, dropped=self._count_dropped)
        self.refusals = RefusalAudit(self._audit, dropped=self._count_dropped)
        self._feed = ChangeFeed(stores.listener, stores.writing, self._forget)
        self.validator = TokenValidator(
            stores.looking_up,
            connections.pepper,
            cache_seconds=settings.token_cache_seconds,
            timeout=settings.auth_timeout_seconds,
            feed_is_live=self.feed_is_live,
            refused=self.refusals.add,
        )
        self.organization_keys = OrganizationKeys(
            stores.looking_up,
            connections.master_keys,
            cache_seconds=settings.token_cache_seconds,
            timeout=settings.auth_timeout_seconds,
            feed_is_live=self.feed_is_live,
        )
        self._limit_defaults = LimitDefaults.of(settings.limits)
        self.limit_book = LimitBook(
            stores.looking_up, self._limit_defaults, timeout=settings.auth_timeout_seconds
        )
        self.limiter = RateLimiter(
            stores.redis,
            process_id=f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",
            timeout=settings.redis_timeout_seconds,
            on_fallback=lambda org_id: self._audit.add(
                AuditEvent(org_id, "system", "limits.fallback", "degraded")
            ),
            on_restore=lambda org_id: self._audit.add(
                AuditEvent(org_id, "system", "limits.restore", "success")
            ),
            processes_at_start=settings.workers,
        )
        self.held_off = HeldOff(
            stores.writing, dropped=lambda n: self._instruments.rows_dropped.add("limit", amount=n)
        )
        self._forgetting: list[Callable[[Change | None], None]] = [
            self.validator.forget,
            self.organization_keys.forget,
            self.limit_book.forget,
        ]
        self.access = Access(self.validator, self._limit, self.refusals.add)
        self.administration = Administration.over(
            stores.looking_up,
            stores.listener,
            connections.pepper,
            connections.master_keys,
            settings.providers,
            Quota.of(settings),
        )

    def routers(self, settings: Settings) -> Sequence[APIRouter]:
        return endpoints.routers(
            self.administration,
            self.access,
            limit_defaults=self._limit_defaults,
            organization_grace=timedelta(days=settings.organization_grace_days),
        )

    def feed_is_live(self) -> bool:
        """Whether changes reach this process at the moment."""
        return self._feed.is_live

    def tell(self, forget: Callable[[Change | None], None]) -> None:
        """Of every change, from now on."""
        self._forgetting.append(forget)

    def start(self, running: AsyncExitStack) -> None:
        for part in (self._feed, self.limiter):
            part.start()
            running.push_async_callback(part.stop)
        for log in (self._audit, self.held_off):
            log.start()
            running.push_async_callback(log.close, within=2.0)
        running.callback(self.refusals.close)

    def flush(self) -> None:
        self.refusals.flush()
        self._instruments.rows_waiting.set("audit", value=len(self._audit))
        self._instruments.rows_waiting.set("limit", value=len(self.held_off))

    def _forget(self, change: Change | None) -> None:
        for forget in self._forgetting:
            forget(change)

    async def _limit(self, principal: Principal) -> Mapping[str, str]:
        under = await self.limit_book.of_request(principal)
        verdict, _ = await self.limiter.check(principal.org_id, under)
        if not verdict.admitted:
            self.held_off.add(principal.org_id, verdict.limit)
            raise verdict.refusal()
        return verdict.headers()

    def _count_dropped(self, rows: int) -> None:
        self._instruments.rows_dropped.add("audit", amount=rows)
