"""Watches agents: every call of theirs, as it is told."""

import asyncio
import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Protocol
from uuid import UUID

import psycopg

from ibex.auth import Actor
from ibex.drift.alerting import Alerting
from ibex.drift.baseline import Baseline
from ibex.drift.detection import examine
from ibex.drift.fingerprint import Fingerprint
from ibex.drift.observation import NUMBERS, Observation, observed
from ibex.drift.records import Detector, StoredBaseline
from ibex.drift.repository import alerts, baselines, detectors, fingerprints
from ibex.drift.sightings import sight
from ibex.drift.window import BLOCK, WINDOW, Block
from ibex.storage import Connection
from ibex.traces.trace import Trace

logger = logging.getLogger(__name__)

# Who makes the baselines that nobody else makes.
_ITSELF = "system"
# Of the blocks that come together every third is looked at, and the last: each look takes a millisecond or
# so, and where calls come so fast a change is found as soon.
_LOOKS_EVERY = 3
# That a process keeps in memory, of some 20 KB each.
_MOST_BASELINES = 512


class Pausing(Protocol):
    """How an agent is paused."""

    async def pause_within(self, connection: Connection, actor: Actor, agent_id: UUID, reason: str) -> None:
        """In the transaction that is open, as one of its last statements."""
        ...


class DriftWatch:
    """Tells what has changed in how agents behave.

    Parameters
    ----------
    agents: where an agent is paused, if it says so.
    baseline_calls: calls that a baseline is made of, when nobody makes one.
    """

    def __init__(self, agents: Pausing, *, baseline_calls: int) -> None:
        self._baseline_blocks = baseline_calls // BLOCK
        self._agents = agents
        self._baselines: dict[UUID, tuple[StoredBaseline, Baseline]] = {}

    async def observe(
        self, connection: psycopg.AsyncConnection[Any], org_id: UUID, traces: Sequence[Trace]
    ) -> None:
        """Take note of calls of one organization, in the transaction that has stored them for the first time.

        So each of them counts once, and two who store traces agree: what is known of an agent is locked.
        Storing a trace matters more than watching it: what fails here is undone, logged, and left out.
        Raises `psycopg.OperationalError` when the database is lost.
        """
        try:
            async with connection.transaction():
                await self._observe(connection, org_id, traces)
        except psycopg.OperationalError:
            raise
        except Exception:
            logger.exception("%d calls were not watched for drift", len(traces))

    async def _observe(
        self, connection: psycopg.AsyncConnection[Any], org_id: UUID, traces: Sequence[Trace]
    ) -> None:
        told = [trace for trace in traces if trace.session_id is not None]
        told.sort(key=lambda trace: (*_key(trace), trace.at))
        groups = {key: list(group) for key, group in groupby(told, key=_key)}
        if not groups:
            return
        known = await detectors.lock(connection, org_id, list(groups))
        for key, detector in known.items():
            recent = detector.recent
            for trace in groups[key]:
                sight(recent.seen, trace)
            recent.pending += observed(groups[key], recent.last_tools)
        alerting = Alerting(self._agents.pause_within)
        full = {key: each for key, each in known.items() if len(each.recent.pending) >= BLOCK}
        if full:
            windows = await detectors.windows(connection, list(full))
            for key, detector in full.items():
                blocks, tolerance = windows[key]
                await self._advance(connection, org_id, detector, blocks, tolerance, alerting)
                await detectors.save_window(connection, key, blocks)
        await detectors.save(connection, list(known.values()))
        await alerting.pause(connection, org_id)

    async def _advance(
        self,
        connection: psycopg.AsyncConnection[Any],
        org_id: UUID,
        detector: Detector,
        blocks: list[Block],
        tolerance: dict[str, float],
        alerting: Alerting,
    ) -> None:
        """Make blocks of the calls that are pending, and look at how the agent has come to behave."""
        key = (detector.agent_id, detector.directive_number)
        made = _blocks(detector)
        await detectors.keep_blocks(connection, org_id, key, made)
        stored, baseline = await self._known(connection, detector.baseline_id)
        alert = await alerts.unsettled(connection, *key)
        taken = []
        for left, (number, observations) in zip(reversed(range(len(made))), made, strict=True):
            # A batch may have hundreds of blocks: other tasks have their turn between.
            await asyncio.sleep(0)
            detector.calls = number * BLOCK
            blocks.append(_added(observations, baseline))
            del blocks[:-WINDOW]
            is_looked_at = left % _LOOKS_EVERY == 0
            if is_looked_at:
                taken.append((detector.calls, blocks[-1].end, Fingerprint.of(blocks, baseline)))
            if is_looked_at and stored is not None and baseline is not None:
                watched = blocks[-max((detector.calls - detector.watches_from) // BLOCK, 0) :]
                findings = examine(baseline, watched, tolerance)
                alert = await alerting.settle(
                    connection, org_id, detector, stored, baseline, watched, findings, alert
                )
            owned = stored is not None and stored.directive_number == detector.directive_number
            learned = (detector.calls - detector.learns_from) // BLOCK
            if alert is None and learned >= self._baseline_blocks and not owned:
                calls = await detectors.last_observations(
                    connection,
                    key,
                    self._baseline_blocks,
                    after=number - self._baseline_blocks,
                    before=number,
                )
                stored = await baselines.insert(connection, org_id, *key, calls, _ITSELF)
                baseline = stored.baseline()
                detector.baseline_id, detector.watches_from = stored.id, detector.calls
        await fingerprints.insert(connection, org_id, *key, taken)

    async def _known(
        self, connection: psycopg.AsyncConnection[Any], baseline_id: UUID | None
    ) -> tuple[StoredBaseline, Baseline] | tuple[None, None]:
        """A baseline, which never changes, so that it is read once. The one read longest ago makes room."""
        if baseline_id is None:
            return None, None
        known = self._baselines.get(baseline_id)
        if known is None:
            stored = await baselines.get(connection, baseline_id)
            if stored is None:
                return None, None
            known = self._baselines[baseline_id] = (stored, stored.baseline())
            if len(self._baselines) > _MOST_BASELINES:
                del self._baselines[next(iter(self._baselines))]
        return known


def _key(trace: Trace) -> tuple[UUID, int]:
    return trace.agent_id, trace.directive_number or 0


def _blocks(detector: Detector) -> list[tuple[int, list[Observation]]]:
    """The whole blocks of what is pending, with their numbers."""
    pending = detector.recent.pending
    count = len(pending) // BLOCK
    first = detector.calls // BLOCK + 1
    made = [(first + index, pending[index * BLOCK : (index + 1) * BLOCK]) for index in range(count)]
    del pending[: count * BLOCK]
    return made


def _added(observations: Sequence[Observation], baseline: Baseline | None) -> Block:
    scores = [0.0] * len(NUMBERS) if baseline is None else baseline.scores(observations)
    return Block.of(observations, scores)
