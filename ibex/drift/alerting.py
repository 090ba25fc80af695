"""Raises alerts, lets them grow while a change does, and pauses agents that want it."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from ibex.auth import Actor
from ibex.drift.alert import Alert
from ibex.drift.baseline import Baseline
from ibex.drift.comparison import SEVERITIES, Moved, Severity, moved, worst
from ibex.drift.detection import Finding
from ibex.drift.records import Detector, StoredBaseline
from ibex.drift.repository import alerts, detectors
from ibex.drift.sightings import Cause, causes
from ibex.drift.window import BLOCK, WINDOW, Block
from ibex.ids import uuid7
from ibex.outbox import Event, EventType, emit

Pause = Callable[[psycopg.AsyncConnection[Any], Actor, UUID, str], Awaitable[None]]

# A feature that comes so close to its threshold is named in the alert that another one raises.
_NAMED = 0.75
# What has come to its full size after so many calls: later an alert grows only if it becomes more severe.
_GROWS_FOR = WINDOW * BLOCK
# Later, how severe it is matters every so many calls: to tell takes as long as to find it.
_LOOKED_AT_EVERY = 10 * BLOCK
# Memories that an agent is given in this time before a change (seconds), and how many make a likely cause.
_MEMORIES_BEFORE = 3_600.0
_FEWEST_MEMORIES = 20


class Alerting:
    """What becomes of what was found in one transaction.

    Parameters
    ----------
    pause: an agent, in the transaction that is open.
    """

    def __init__(self, pause: Pause) -> None:
        self._pause = pause
        self._reasons: dict[UUID, str] = {}

    async def pause(self, connection: psycopg.AsyncConnection[Any], org_id: UUID) -> None:
        """Pause the agents whose alerts do. To come last: what it locks, the organization waits for."""
        actor = Actor.local(org_id, "system")
        for agent_id, reason in sorted(self._reasons.items()):
            await self._pause(connection, actor, agent_id, reason)

    async def settle(
        self,
        connection: psycopg.AsyncConnection[Any],
        org_id: UUID,
        detector: Detector,
        stored: StoredBaseline,
        baseline: Baseline,
        blocks: Sequence[Block],
        findings: Sequence[Finding],
        alert: Alert | None,
    ) -> Alert | None:
        """The alert that there is after a look at the last blocks.

        While there is one, another is not raised. It may grow for the next 300 calls, and later when it
        becomes more severe; only then it is told again.
        """
        named = [each for each in findings if each.excess >= _NAMED]
        if not any(each.excess >= 1.0 for each in named):
            return alert
        is_growing = alert is None or detector.calls - alert.found_call <= _GROWS_FOR
        if not is_growing and detector.calls % _LOOKED_AT_EVERY:
            return alert
        features = moved(baseline, blocks, named)
        if alert is None:
            return await self._raise(connection, org_id, detector, stored, blocks, findings, features)
        is_worse = SEVERITIES.index(worst(features)) > SEVERITIES.index(alert.severity)
        if not (is_growing or is_worse):
            return alert
        return await self._grow(connection, org_id, alert, features)

    async def _raise(
        self,
        connection: psycopg.AsyncConnection[Any],
        org_id: UUID,
        detector: Detector,
        stored: StoredBaseline,
        blocks: Sequence[Block],
        findings: Sequence[Finding],
        features: Sequence[Moved],
    ) -> Alert:
        longest = max((each for each in findings), key=lambda each: each.excess).blocks
        first_seen = blocks[-longest].start
        severity = worst(features)
        suspends = await self._suspends(connection, detector.agent_id, severity)
        likely = causes(detector.recent.seen, first_seen, stored.last_at.timestamp())
        likely += await _memories(connection, detector.agent_id, first_seen)
        alert = await alerts.insert(
            connection,
            org_id,
            detector.agent_id,
            detector.directive_number,
            stored.id,
            severity,
            features,
            likely,
            first_seen,
            detector.calls - longest * BLOCK + 1,
            detector.calls,
            suspends=suspends,
        )
        await self._tell(connection, org_id, alert, suspends=suspends)
        return alert

    async def _grow(
        self,
        connection: psycopg.AsyncConnection[Any],
        org_id: UUID,
        alert: Alert,
        features: Sequence[Moved],
    ) -> Alert:
        severity = max(alert.severity, worst(features), key=SEVERITIES.index)
        before = {each["feature"]: each for each in alert.features}
        now = {each.feature: asdict(each) for each in features}
        grown = sorted({**before, **now}.values(), key=lambda each: -each["excess"])
        is_worse = severity != alert.severity
        if not is_worse and before.keys() >= now.keys():
            return alert
        suspends = (
            is_worse
            and not alert.suspended_agent
            and await self._suspends(connection, alert.agent_id, severity)
        )
        await alerts.worsen(connection, alert.id, severity, grown, suspends=suspends)
        alert = replace(
            alert,
            severity=severity,
            features=grown,
            suspended_agent=alert.suspended_agent or suspends,
        )
        if is_worse:
            await self._tell(connection, org_id, alert, suspends=suspends)
        return alert

    async def _suspends(
        self, connection: psycopg.AsyncConnection[Any], agent_id: UUID, severity: Severity
    ) -> bool:
        """Whether an alert so severe pauses the agent, which is active."""
        if agent_id in self._reasons:
            return False
        least = await detectors.suspends_on(connection, agent_id)
        return least in SEVERITIES and SEVERITIES.index(severity) >= SEVERITIES.index(least)

    async def _tell(
        self, connection: psycopg.AsyncConnection[Any], org_id: UUID, alert: Alert, *, suspends: bool
    ) -> None:
        told = {
            "agent_id": str(alert.agent_id),
            "alert_id": str(alert.id),
            "directive_number": alert.directive_number,
            "severity": alert.severity,
            "first_seen_at": alert.first_seen_at.isoformat(),
        }
        await emit(
            connection,
            _event(
                org_id,
                "agent.drifted",
                {**told, "features": list(alert.features), "causes": list(alert.causes)},
            ),
        )
        if suspends:
            await emit(connection, _event(org_id, "agent.suspended", told))
            self._reasons[alert.agent_id] = f"drift alert {alert.id}"


def _event(org_id: UUID, kind: EventType, data: dict[str, Any]) -> Event:
    return Event(org_id=org_id, id=uuid7(), type=kind, at=datetime.now(UTC), data=data)


async def _memories(
    connection: psycopg.AsyncConnection[Any], agent_id: UUID, first_seen: float
) -> list[Cause]:
    """Whether many memories were added by somebody, and not learned from the agent's own calls."""
    milliseconds = math.floor(max(first_seen - _MEMORIES_BEFORE, 0.0) * 1_000)
    # Ids begin with their time.
    first_id = UUID(int=milliseconds << 80)
    added = await detectors.memories_added(connection, agent_id, first_id, _FEWEST_MEMORIES)
    return [] if added is None else [Cause("memories", str(added[0]), added[1])]
