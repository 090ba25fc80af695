"""What can be asked about drift, and done about it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from ibex.auth import Actor, audit
from ibex.auth.agents.ownership import check_owner
from ibex.auth.audit import AuditEvent
from ibex.auth.names import conflict, invalid, no_access
from ibex.drift.alert import Alert, AlertStatus
from ibex.drift.comparison import Severity
from ibex.drift.records import Detector, StoredBaseline
from ibex.drift.repository import alerts, baselines, detectors, fingerprints
from ibex.drift.repository.detectors import KEPT_BLOCKS
from ibex.drift.repository.fingerprints import StoredFingerprint
from ibex.drift.window import BLOCK
from ibex.storage import Connection, Postgres

# Of fewer calls a baseline tells too little of what is rare.
_FEWEST_CALLS = 200
# What a false alarm adds to the thresholds of its features, and how far that goes.
_TOLERATES = 1.15
_MOST_TOLERANCE = 2.0


class DriftService:
    """Drift of the agents of one organization; each change is one transaction, and audited.

    Everything raises ACCESS_DENIED for what the organization does not have, and AGENT_NOT_AUTHORIZED for what
    is another agent's than the actor's.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def overview(self, actor: Actor, agent_id: UUID | None) -> list[dict[str, Any]]:
        """What is watched: agents with the versions of their directives."""
        return await detectors.overview(self._postgres, actor.org_id, self._whose(actor, agent_id))

    async def fingerprints(
        self, actor: Actor, agent_id: UUID, directive_number: int | None, after: UUID | None, limit: int
    ) -> list[StoredFingerprint]:
        check_owner(actor, agent_id)
        return await fingerprints.page(self._postgres, actor.org_id, agent_id, directive_number, after, limit)

    async def latest_fingerprints(self, actor: Actor, agent_id: UUID) -> list[StoredFingerprint]:
        """The newest of each version of the agent's directive."""
        check_owner(actor, agent_id)
        return await fingerprints.latest(self._postgres, actor.org_id, agent_id)

    async def baselines(
        self, actor: Actor, agent_id: UUID | None, after: UUID | None, limit: int
    ) -> list[StoredBaseline]:
        return await baselines.page(self._postgres, actor.org_id, self._whose(actor, agent_id), after, limit)

    async def baseline(self, actor: Actor, baseline_id: UUID) -> StoredBaseline:
        found = await baselines.find(self._postgres, actor.org_id, baseline_id)
        if found is None:
            raise no_access("baseline")
        check_owner(actor, found.agent_id)
        return found

    async def set_baseline(
        self,
        actor: Actor,
        agent_id: UUID,
        directive_number: int,
        calls: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> StoredBaseline:
        """Compare with the last calls from now on, or with those of some time; both settle an alert.

        Raises VALIDATION_ERROR when there are not enough of them.
        """
        async with self._changing(actor, agent_id, directive_number) as (connection, detector):
            key = (agent_id, directive_number)
            most = KEPT_BLOCKS if calls is None else -(-calls // BLOCK)
            observations = await detectors.last_observations(connection, key, most, since=since, until=until)
            if len(observations) < _FEWEST_CALLS:
                raise invalid(
                    "calls" if calls is not None else "since",
                    f"A baseline needs {_FEWEST_CALLS} calls at least; there are {len(observations)} among "
                    f"the last {KEPT_BLOCKS * BLOCK:,}, which are kept.",
                )
            stored = await baselines.insert(
                connection, actor.org_id, agent_id, directive_number, observations, actor.name
            )
            detector.baseline_id = stored.id
            await self._begin(connection, actor, detector)
            await audit.record(
                connection,
                AuditEvent.of(
                    actor, "drift.baseline.set", stored.id, agent=str(agent_id), calls=len(observations)
                ),
            )
        return stored

    async def reset_baseline(self, actor: Actor, agent_id: UUID, directive_number: int) -> None:
        """Forget the baseline, and learn another one from the calls that come."""
        async with self._changing(actor, agent_id, directive_number) as (connection, detector):
            detector.baseline_id = None
            detector.learns_from = detector.calls
            await self._begin(connection, actor, detector)
            await audit.record(
                connection,
                AuditEvent.of(actor, "drift.baseline.reset", agent_id, directive=directive_number),
            )

    async def alerts(
        self,
        actor: Actor,
        agent_id: UUID | None,
        status: AlertStatus | None,
        severity: Severity | None,
        after: UUID | None,
        limit: int,
    ) -> list[Alert]:
        return await alerts.page(
            self._postgres, actor.org_id, self._whose(actor, agent_id), status, severity, after, limit
        )

    async def alert(self, actor: Actor, alert_id: UUID) -> Alert:
        found = await alerts.find(self._postgres, actor.org_id, alert_id)
        if found is None:
            raise no_access("alert")
        check_owner(actor, found.agent_id)
        return found

    async def acknowledge(self, actor: Actor, alert_id: UUID) -> Alert:
        """Say that somebody looks at it. No other is raised until it is settled."""
        seen = await self.alert(actor, alert_id)
        async with self._changing(actor, seen.agent_id, seen.directive_number) as (connection, _):
            await _unsettled(connection, alert_id)
            await alerts.acknowledge(connection, alert_id, actor.name)
            await audit.record(connection, AuditEvent.of(actor, "drift.alert.acknowledge", alert_id))
        return await self.alert(actor, alert_id)

    async def resolve(self, actor: Actor, alert_id: UUID, *, accept: bool) -> Alert:
        """Watch again: against the same baseline, or, if the change is accepted, against what comes now.

        With `accept` the next baseline is learned from the first call on that was different.
        """
        seen = await self.alert(actor, alert_id)
        async with self._changing(actor, seen.agent_id, seen.directive_number) as (connection, detector):
            await _unsettled(connection, alert_id)
            await alerts.close(connection, alert_id, "resolved", actor.name)
            if accept:
                detector.baseline_id = None
                detector.learns_from = max(seen.first_call - 1, 0)
            detector.watches_from = detector.calls
            await detectors.save(connection, [detector])
            await audit.record(
                connection, AuditEvent.of(actor, "drift.alert.resolve", alert_id, accepted=accept)
            )
        return await self.alert(actor, alert_id)

    async def false_alarm(self, actor: Actor, alert_id: UUID) -> Alert:
        """Watch again, with thresholds that are 15 % higher for what moved: up to twice as high in all."""
        seen = await self.alert(actor, alert_id)
        async with self._changing(actor, seen.agent_id, seen.directive_number) as (connection, detector):
            alert = await _unsettled(connection, alert_id)
            await alerts.close(connection, alert_id, "false_alarm", actor.name)
            key = (seen.agent_id, seen.directive_number)
            tolerance = await detectors.tolerance(connection, key)
            for feature in alert.features:
                if feature["excess"] >= 1.0:
                    raised = tolerance.get(feature["feature"], 1.0) * _TOLERATES
                    tolerance[feature["feature"]] = round(min(raised, _MOST_TOLERANCE), 3)
            await detectors.tolerate(connection, key, tolerance)
            detector.watches_from = detector.calls
            await detectors.save(connection, [detector])
            await audit.record(connection, AuditEvent.of(actor, "drift.alert.false_alarm", alert_id))
        return await self.alert(actor, alert_id)

    async def _begin(self, connection: Connection, actor: Actor, detector: Detector) -> None:
        """Compare anew from now on; whatever was wrong with the baseline before is settled."""
        detector.watches_from = detector.calls
        await detectors.save(connection, [detector])
        alert = await alerts.unsettled(connection, detector.agent_id, detector.directive_number)
        if alert is not None:
            await alerts.close(connection, alert.id, "resolved", actor.name)

    @asynccontextmanager
    async def _changing(
        self, actor: Actor, agent_id: UUID, directive_number: int
    ) -> AsyncIterator[tuple[Connection, Detector]]:
        """A transaction in which nobody else changes what is known of the agent."""
        check_owner(actor, agent_id)
        key = (agent_id, directive_number)
        async with self._postgres.transaction(actor.org_id) as connection:
            detector = await detectors.lock_known(connection, key)
            if detector is None:
                raise invalid(
                    "directive_number",
                    f"There are no calls of the agent with version {directive_number} of its directive (0 is "
                    "none); see what is watched.",
                )
            yield connection, detector

    def _whose(self, actor: Actor, agent_id: UUID | None) -> UUID | None:
        if agent_id is not None:
            check_owner(actor, agent_id)
        return agent_id or actor.agent_id


async def _unsettled(connection: Connection, alert_id: UUID) -> Alert:
    """An alert that nobody has settled. Raises ACCESS_DENIED and CONFLICT."""
    alert = await alerts.lock(connection, alert_id)
    if alert is None:
        raise no_access("alert")
    if alert.closed_at is not None:
        raise conflict("The alert is settled already.")
    return alert
