"""Refusals of known tokens are told, and a client that insists fills no table."""

from collections import Counter
from typing import Any

import orjson
import pytest

from ibex.auth import AuditTrail, Permission, Principal, RefusalAudit
from ibex.auth.audit import Selection, refusals
from ibex.errors import ErrorCode
from ibex.ids import uuid7
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service

REVOKED, PAUSED = ErrorCode.TOKEN_REVOKED, ErrorCode.AGENT_SUSPENDED


class Gathering:
    """Refusals at a time that the test sets, and what is told of them."""

    def __init__(self, operator: Operator) -> None:
        self.now = 1_000.0
        self.dropped = 0
        self.org_id = uuid7()
        self.trail = AuditTrail(operator.postgres, dropped=self._drop)
        self.refusals = RefusalAudit(self.trail, dropped=self._drop, clock=lambda: self.now)

    def _drop(self, count: int) -> None:
        self.dropped += count

    def somebody(self) -> Principal:
        return Principal(self.org_id, uuid7(), Permission(0))

    def refuse(self, who: Principal, code: ErrorCode = REVOKED, times: int = 1, address: str = "::1") -> None:
        for _ in range(times):
            self.refusals.add(who, code, address)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.refusals.flush()

    def told(self) -> list[tuple[str, int]]:
        return [(str(event.detail["code"]), int(event.detail["times"])) for event in self.trail._items]


@pytest.fixture
def gathering(operator: Operator) -> Gathering:
    return Gathering(operator)


def test_the_first_is_told_at_once_and_the_rest_once_a_minute(gathering: Gathering) -> None:
    who = gathering.somebody()
    gathering.refuse(who)
    assert gathering.told() == [(REVOKED, 1)]
    gathering.refuse(who, times=99)
    gathering.after(59.0)
    assert gathering.told() == [(REVOKED, 1)]
    gathering.after(1.0)
    assert gathering.told() == [(REVOKED, 1), (REVOKED, 99)]


def test_one_that_insists_for_ten_minutes_is_told_once_a_minute(gathering: Gathering) -> None:
    who = gathering.somebody()
    for _ in range(600):
        gathering.refuse(who, times=100)
        gathering.after(1.0)
    told = gathering.told()
    assert len(told) == 11
    assert sum(times for _, times in told) == 60_000


def test_after_a_quiet_minute_the_next_is_told_at_once(gathering: Gathering) -> None:
    who = gathering.somebody()
    gathering.refuse(who, times=2)
    gathering.after(60.0)
    gathering.after(60.0)
    assert len(gathering.refusals) == 0
    gathering.refuse(who)
    assert gathering.told() == [(REVOKED, 1), (REVOKED, 1), (REVOKED, 1)]


def test_each_token_and_each_reason_is_told_of(gathering: Gathering) -> None:
    one, other = gathering.somebody(), gathering.somebody()
    for who in (one, other):
        for code in (REVOKED, PAUSED):
            gathering.refuse(who, code, times=3)
    gathering.after(60.0)
    assert Counter(gathering.told()) == {
        (REVOKED, 1): 2,
        (REVOKED, 2): 2,
        (PAUSED, 1): 2,
        (PAUSED, 2): 2,
    }


def test_the_last_address_is_told_with_the_rest(gathering: Gathering) -> None:
    who = gathering.somebody()
    for address in ("203.0.113.1", "203.0.113.2", "203.0.113.3"):
        gathering.refuse(who, address=address)
    gathering.after(60.0)
    assert [event.address for event in gathering.trail._items] == ["203.0.113.1", "203.0.113.3"]


def test_a_stop_tells_of_what_is_left(gathering: Gathering) -> None:
    gathering.refuse(gathering.somebody(), times=5)
    gathering.refuse(gathering.somebody(), times=1)
    gathering.refusals.close()
    assert gathering.told() == [(REVOKED, 1), (REVOKED, 1), (REVOKED, 4)]


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.MISSING_AGENT_ID,
        ErrorCode.RATE_LIMITED,
        ErrorCode.AUTH_UNAVAILABLE,
        ErrorCode.VALIDATION_ERROR,
    ],
)
def test_what_is_nobodys_fault_is_not_told(gathering: Gathering, code: ErrorCode) -> None:
    gathering.refuse(gathering.somebody(), code)
    assert gathering.told() == []


def test_one_organization_does_not_keep_the_refusals_of_another_out(
    gathering: Gathering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_CAPACITY", 10)
    monkeypatch.setattr(refusals, "_SHARE", 5)
    for _ in range(30):
        gathering.refuse(gathering.somebody())
    assert (len(gathering.told()), gathering.dropped) == (5, 25)
    noisy, gathering.org_id = gathering.org_id, uuid7()
    gathering.refuse(gathering.somebody())
    assert len(gathering.told()) == 6
    gathering.after(60.0)
    gathering.org_id = noisy
    gathering.refuse(gathering.somebody())
    assert len(gathering.told()) == 7


def test_memory_is_bounded_and_what_finds_no_room_is_counted(
    gathering: Gathering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_CAPACITY", 10)
    people = [gathering.somebody() for _ in range(30)]
    for who in people * 3:
        gathering.refuse(who)
    assert len(gathering.refusals) == 10
    assert len(gathering.told()) == 10
    assert gathering.dropped == 20 * 3
    gathering.after(60.0)
    gathering.after(60.0)
    gathering.refuse(people[-1])
    assert len(gathering.told()) == 21


def test_a_flood_of_tokens_does_not_keep_those_that_are_counted_from_being_told(
    gathering: Gathering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_CAPACITY", 2)
    first = gathering.somebody()
    gathering.refuse(first, times=10)
    for _ in range(100):
        gathering.refuse(gathering.somebody())
    gathering.after(60.0)
    assert gathering.told() == [(REVOKED, 1), (REVOKED, 1), (REVOKED, 9)]


async def refusals_of(service: Service, operator: Operator) -> list[dict[str, Any]]:
    found = await operator.administration.audit.page(
        service.org_id, None, 100, Selection(action="request.refuse")
    )
    return [{"actor": e.actor, "address": e.address, **orjson.loads(e.detail)} for e in found]


async def test_a_service_tells_who_was_refused_for_what_and_from_where(
    service: Service, operator: Operator
) -> None:
    issued = await operator.issue(service.org_id)
    viewer = await operator.issue(service.org_id, Permission.TRACE_READ)
    await operator.revoke(service.org_id, issued.text)
    async with service.http() as client:

        async def ask(token: str, path: str = "/v1/models", **options: Any) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return (await client.get(path, headers=headers, **options)).status_code

        await until(lambda: _is(ask(issued.text), 401))
        for _ in range(20):
            assert await ask(issued.text) == 401
        assert await ask(viewer.text, "/v1/audit") == 403
        assert await ask(viewer.text, f"/v1/agents/{uuid7()}") == 403
        assert await ask("ibex_pat_nobody") == 401

    async def has_told() -> bool:
        return len(await refusals_of(service, operator)) == 3

    await until(has_told)
    origin = {"address": "127.0.0.1", "times": 1}
    found = await refusals_of(service, operator)
    assert sorted(found, key=lambda event: event["code"]) == [
        {"actor": f"token:{viewer.record.id}", "code": "ACCESS_DENIED", **origin},
        {"actor": f"token:{viewer.record.id}", "code": "INSUFFICIENT_PERMISSIONS", **origin},
        {"actor": f"token:{issued.record.id}", "code": "TOKEN_REVOKED", **origin},
    ]
    assert all(issued.text.rpartition("_")[2] not in str(event) for event in found)


async def test_a_token_that_does_not_exist_is_only_counted(service: Service, operator: Operator) -> None:
    before = service.instruments.metrics.render().decode()
    async with service.http() as client:
        for _ in range(5):
            answer = await client.get("/v1/audit", headers={"Authorization": "Bearer ibex_pat_nobody"})
            assert answer.status_code == 401
    assert "ibex_auth_refusals_total 0" in before
    assert "ibex_auth_refusals_total 5" in service.instruments.metrics.render().decode()
    assert await refusals_of(service, operator) == []


async def test_a_stop_writes_the_number_of_the_rest(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> None:
    starting = Service.start(database.service_dsn, database.redis_url, operator, stub_provider)
    async with starting as service, service.http() as client:
        for _ in range(30):
            assert (await client.get("/v1/audit/head")).status_code == 403
    found = await refusals_of(service, operator)
    assert sum(event["times"] for event in found) == 30
    assert len(found) == 2
    verdict = await operator.administration.audit.verify(service.org_id)
    assert verdict.damage is None


async def _is(answer: Any, status: int) -> bool:
    return bool(await answer == status)
