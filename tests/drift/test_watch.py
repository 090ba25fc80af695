"""An agent that behaves differently is told of, once, with what moved and what may have caused it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from ibex.auth import Actor
from ibex.drift import Alert, DriftService, DriftWatch
from ibex.drift import watch as watching
from ibex.drift.detection import examine
from ibex.drift.repository import detectors
from ibex.drift.watch import Pausing
from ibex.outbox import Event, take
from ibex.storage import Connection
from ibex.traces.trace import Trace
from tests.drift.calls import Caller, watch
from tests.operator import Operator

_LEARNED = 400


@dataclass(slots=True)
class Watched:
    """An agent `helper` whose baseline is learned."""

    operator: Operator
    watching: DriftWatch
    drift: DriftService
    actor: Actor
    caller: Caller

    async def tell(self, traces: Sequence[Trace]) -> None:
        await watch(self.watching, self.operator.postgres, self.actor.org_id, traces)

    async def alerts(self) -> list[Alert]:
        return await self.drift.alerts(self.actor, None, None, None, None, 50)

    async def events(self) -> list[Event]:
        async with self.operator.postgres.transaction(self.actor.org_id) as connection:
            return await take(connection, 50)

    async def detector(self, directive_number: int = 0) -> dict[str, Any]:
        found = await self.drift.overview(self.actor, self.caller.agent_id)
        return next(each for each in found if each["directive_number"] == directive_number)


@pytest_asyncio.fixture
async def watched(operator: Operator) -> Watched:
    org_id = await operator.organization()
    agent = await operator.agent(org_id)
    watched = Watched(
        operator,
        DriftWatch(operator.administration.agents, baseline_calls=_LEARNED),
        DriftService(operator.postgres),
        operator.actor(org_id),
        Caller(org_id, agent.id),
    )
    await watched.tell(watched.caller.calls(_LEARNED))
    return watched


async def test_a_baseline_is_learned_and_fingerprints_are_taken(watched: Watched) -> None:
    await watched.tell(watched.caller.calls(205))

    [baseline] = await watched.drift.baselines(watched.actor, watched.caller.agent_id, None, 50)
    assert baseline.calls == _LEARNED
    assert baseline.created_by == "system"
    [latest] = await watched.drift.latest_fingerprints(watched.actor, watched.caller.agent_id)
    assert (latest.call, latest.calls) == (600, 100)
    assert latest.data["shares"]["finish_reason"] == {"stop": 1.0}
    assert await watched.alerts() == []


async def test_a_change_raises_one_alert_with_its_feature_and_its_likely_cause(watched: Watched) -> None:
    await watched.tell(watched.caller.calls(100))
    await watched.tell(watched.caller.slow_calls(400, 3.0, provider_fingerprint="fp_2"))

    [alert] = await watched.alerts()
    assert alert.features[0]["feature"] == "latency"
    assert alert.features[0]["after"] > 2 * alert.features[0]["before"]
    assert [(cause["kind"], cause["value"]) for cause in alert.causes] == [("provider_fingerprint", "fp_2")]
    assert 450 < alert.first_call <= 530
    assert alert.found_call <= 600
    [event] = await watched.events()
    assert event.type == "agent.drifted"
    assert event.data["alert_id"] == str(alert.id)


async def test_a_new_directive_is_compared_with_the_one_before(watched: Watched) -> None:
    await watched.tell(watched.caller.calls(100, directive_number=2, tools=("delete_everything",)))

    [alert] = await watched.alerts()
    assert alert.directive_number == 2
    assert "tools" in {feature["feature"] for feature in alert.features}
    assert ("directive", "2") in {(cause["kind"], cause["value"]) for cause in alert.causes}
    assert alert.severity == "high"


async def test_a_version_without_an_alert_gets_a_baseline_of_its_own(watched: Watched) -> None:
    await watched.tell(watched.caller.calls(_LEARNED, directive_number=2))

    assert (await watched.detector(2))["baseline_directive_number"] == 2
    assert await watched.alerts() == []


async def test_a_new_directive_is_not_compared_with_a_baseline_that_was_given_up(watched: Watched) -> None:
    await watched.drift.reset_baseline(watched.actor, watched.caller.agent_id, 0)

    await watched.tell(watched.caller.calls(20, directive_number=2))

    assert (await watched.detector(2))["baseline_id"] is None


async def test_what_was_seen_first_is_still_the_first_when_it_was_stored(watched: Watched) -> None:
    clients = [f"client/{name}" for name in ("zeta", "b", "alpha", "c")]
    calls = [call for name in clients for call in watched.caller.calls(5, client=name, tools=("search",))]

    await watched.tell(calls)

    async with watched.operator.postgres.transaction(watched.actor.org_id) as connection:
        detector = await detectors.lock_known(connection, (watched.caller.agent_id, 0))
    assert detector is not None
    assert list(detector.recent.seen["client"]) == ["client/1", *clients]
    sessions = [blake2b(str(call.session_id).encode(), digest_size=6).hexdigest() for call in calls]
    assert list(detector.recent.last_tools)[-len(calls) :] == sessions


async def test_an_agent_that_wants_it_is_paused_by_a_severe_alert(watched: Watched) -> None:
    agents, agent_id = watched.operator.administration.agents, watched.caller.agent_id
    await agents.update(watched.actor, agent_id, config={"drift": {"suspend_on": "high"}})

    await watched.tell(watched.caller.calls(300, outcome="failed", status=502))

    assert (await agents.get(watched.actor.org_id, agent_id)).status == "paused"
    [alert] = await watched.alerts()
    assert alert.suspended_agent
    assert alert.severity == "high"
    kinds = [event.type for event in await watched.events()]
    assert kinds.count("agent.suspended") == 1


async def test_an_alert_that_nobody_settles_pauses_the_agent_when_it_becomes_severe(watched: Watched) -> None:
    agents, agent_id = watched.operator.administration.agents, watched.caller.agent_id
    await agents.update(watched.actor, agent_id, config={"drift": {"suspend_on": "high"}})
    await watched.tell(watched.caller.slow_calls(600, 1.5))
    [mild] = await watched.alerts()

    await watched.tell(watched.caller.slow_calls(300, 40.0))

    [severe] = await watched.alerts()
    assert (mild.severity, severe.severity) == ("low", "high")
    assert (mild.suspended_agent, severe.suspended_agent) == (False, True)
    assert (await agents.get(watched.actor.org_id, agent_id)).status == "paused"
    assert [event.data["severity"] for event in await watched.events()][-1] == "high"


@dataclass(slots=True)
class Noted:
    """Pauses agents, and notes how many of their calls are saved by then."""

    agents: Pausing
    saved: list[tuple[UUID, int]] = field(default_factory=list)

    async def pause_within(self, connection: Connection, actor: Actor, agent_id: UUID, reason: str) -> None:
        detector = await detectors.lock_known(connection, (agent_id, 0))
        assert detector is not None
        self.saved.append((agent_id, detector.calls))
        await self.agents.pause_within(connection, actor, agent_id, reason)


async def test_agents_are_paused_in_the_order_of_their_ids_when_all_is_saved(operator: Operator) -> None:
    org_id = await operator.organization()
    agents = operator.administration.agents
    callers = [
        Caller(org_id, (await operator.create_agent(org_id, slug, slug)).id) for slug in ("one", "another")
    ]
    noted = Noted(agents)
    drift = DriftWatch(noted, baseline_calls=200)
    for caller in callers:
        await agents.update(operator.actor(org_id), caller.agent_id, config={"drift": {"suspend_on": "high"}})
        await watch(drift, operator.postgres, org_id, caller.calls(200))

    failing = [each for caller in callers for each in caller.calls(100, outcome="failed", status=502)]
    async with operator.postgres.transaction(org_id) as connection:
        await drift.observe(connection, org_id, failing)

    assert noted.saved == [(agent_id, 300) for agent_id in sorted(caller.agent_id for caller in callers)]


async def test_an_alert_grows_and_is_told_again_only_when_it_is_worse(watched: Watched) -> None:
    await watched.tell(watched.caller.slow_calls(100, 1.5))
    await watched.tell(watched.caller.slow_calls(200, 40.0))

    [alert] = await watched.alerts()
    assert alert.severity == "high"
    severities = [event.data["severity"] for event in await watched.events()]
    assert severities[-1] == "high"
    assert len(severities) == len(set(severities))


async def test_what_is_resolved_is_watched_again_and_what_is_accepted_is_learned(watched: Watched) -> None:
    await watched.tell(watched.caller.slow_calls(200, 3.0))
    [first] = await watched.alerts()
    await watched.drift.acknowledge(watched.actor, first.id)
    await watched.drift.resolve(watched.actor, first.id, accept=False)
    await watched.tell(watched.caller.slow_calls(200, 3.0))
    first, second = await watched.alerts()
    assert (first.status, second.status) == ("resolved", "open")

    await watched.drift.resolve(watched.actor, second.id, accept=True)
    await watched.tell(watched.caller.slow_calls(_LEARNED, 3.0))

    assert len(await watched.alerts()) == 2
    detector = await watched.detector()
    assert detector["baseline_id"] not in (None, first.baseline_id)


async def test_a_false_alarm_raises_the_threshold_of_what_moved(watched: Watched) -> None:
    await watched.tell(watched.caller.slow_calls(200, 3.0))
    [alert] = await watched.alerts()

    await watched.drift.false_alarm(watched.actor, alert.id)

    assert (await watched.detector())["tolerance"]["latency"] == 1.15
    assert (await watched.drift.alert(watched.actor, alert.id)).status == "false_alarm"


async def test_a_baseline_is_set_by_hand_and_reset(watched: Watched) -> None:
    await watched.tell(watched.caller.slow_calls(250, 3.0))
    [alert] = await watched.alerts()

    stored = await watched.drift.set_baseline(watched.actor, watched.caller.agent_id, 0, 200)
    await watched.tell(watched.caller.slow_calls(100, 3.0))

    assert [each.status for each in await watched.alerts()] == ["resolved"]
    assert stored.calls == 200
    assert stored.created_by == "test"
    assert alert.baseline_id != stored.id
    await watched.drift.reset_baseline(watched.actor, watched.caller.agent_id, 0)
    assert (await watched.detector())["baseline_id"] is None


async def test_two_who_tell_at_once_count_every_call(watched: Watched) -> None:
    traces = watched.caller.calls(200)

    await asyncio.gather(*(watched.tell(traces[start::4]) for start in range(4)))

    assert (await watched.detector())["calls"] == _LEARNED + 200


async def test_calls_that_cannot_be_watched_do_not_fail_who_stores_them(watched: Watched) -> None:
    broken = watched.caller.calls(10, latency_ms="no number")

    await watched.tell(broken)

    assert (await watched.detector())["calls"] == _LEARNED


async def test_what_was_undone_was_never_seen(watched: Watched) -> None:
    class UndoneError(Exception):
        pass

    try:
        async with watched.operator.postgres.transaction(watched.actor.org_id) as connection:
            await watched.watching.observe(connection, watched.actor.org_id, watched.caller.calls(50))
            raise UndoneError
    except UndoneError:
        pass

    assert (await watched.detector())["calls"] == _LEARNED


async def test_others_have_their_turn_while_a_large_batch_is_watched(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    seen = []

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def noted(*given: Any) -> Any:
        seen.append(turns)
        return examine(*given)

    monkeypatch.setattr(watching, "examine", noted)
    busy = asyncio.create_task(other())
    try:
        async with watched.operator.postgres.transaction(watched.actor.org_id) as connection:
            await watched.watching.observe(connection, watched.actor.org_id, watched.caller.calls(300))
    finally:
        busy.cancel()

    # Of 30 blocks that come together every third is looked at.
    assert len(seen) == 10
    assert len(set(seen)) == 10
