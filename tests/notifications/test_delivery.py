"""From an event to an endpoint that has taken it."""

from collections import Counter
from datetime import datetime

import pytest
from standardwebhooks import Webhook as Verifier

from ibex.errors import IbexError
from ibex.ids import uuid7
from ibex.notifications.repository import claims
from tests.faults.waiting import until
from tests.notifications.endpoint import Endpoint
from tests.notifications.office import Office
from tests.operator import Operator


async def test_the_official_library_verifies_what_is_sent(office: Office, endpoint: Endpoint) -> None:
    issued = await office.webhooks.create(office.actor, endpoint.url)
    async with office.courier():
        event = await office.happens(agent_id=uuid7(), count=2)
        await office.attempted(issued.webhook, 1)
    (request,) = endpoint.received
    assert issued.secret is not None
    told = Verifier(issued.secret).verify(request.body, dict(request.headers))
    assert (told["type"], told["org_id"], told["data"]["count"]) == (event.type, str(office.org_id), 2)
    assert datetime.fromisoformat(told["timestamp"]) == event.at
    assert (request.id, request.path) == (str(event.id), "/hook?from=ibex")
    assert request.headers["content-type"] == "application/json"


async def test_for_a_day_after_a_rotation_both_secrets_sign(office: Office, endpoint: Endpoint) -> None:
    first = await office.webhooks.create(office.actor, endpoint.url)
    second = await office.webhooks.rotate(office.actor, first.webhook.id)
    async with office.courier():
        await office.happens()
        await office.attempted(first.webhook, 1)
        office.clock.forward(hours=24)
        await office.happens()
        await office.attempted(first.webhook, 1, number=1)
    both, one = endpoint.received
    assert len(both.headers["webhook-signature"].split()) == 2
    assert len(one.headers["webhook-signature"].split()) == 1
    for issued in (first, second):
        assert issued.secret is not None
        Verifier(issued.secret).verify(both.body, dict(both.headers))


async def test_each_webhook_hears_of_what_it_listens_to(office: Office, endpoint: Endpoint) -> None:
    everything = await office.webhook(endpoint.url)
    dead = await office.webhook(endpoint.url, "job.dead")
    async with office.courier():
        for event_type in ("memory.conflict", "job.dead"):
            await office.happens(event_type)
        await office.attempted(everything, 1, number=1)
        await office.attempted(dead, 1)
    assert Counter(request.json()["type"] for request in endpoint.received) == {
        "memory.conflict": 1,
        "job.dead": 2,
    }
    assert len(await office.deliveries(dead)) == 1


async def test_an_event_is_passed_on_once_and_leaves_the_outbox(office: Office, endpoint: Endpoint) -> None:
    webhook = await office.webhook(endpoint.url)
    async with office.courier(), office.courier():
        for _ in range(30):
            await office.happens()
        await office.attempted(webhook, 1, number=29)
        await until(lambda: len(endpoint.received) == 30)
        assert await _has_nothing_to_do(office)
    assert Counter(Counter(request.id for request in endpoint.received).values()) == {1: 30}
    assert endpoint.most_at_once <= office.settings.connections_per_webhook


async def test_what_is_emitted_without_anybody_listening_is_gone(office: Office) -> None:
    async with office.courier():
        await office.happens()

        async def is_gone() -> bool:
            return await _has_nothing_to_do(office)

        await until(is_gone)


async def test_a_delivery_whose_worker_has_died_is_made_by_another(
    office: Office, endpoint: Endpoint
) -> None:
    webhook = await office.webhook(endpoint.url)
    async with office.courier():
        pass
    await office.log.test(office.actor, webhook.id)
    # As far as a worker comes that is killed before it has sent anything.
    (lost,) = await office.attempts().claim(office.org_id, 10)
    async with office.courier():
        assert await _has_nothing_to_do(office)
        await office.lose_claims()
        delivery = await office.attempted(webhook, 1)
    assert (delivery.delivery.status, delivery.attempts[0].number) == ("delivered", 2)
    assert [request.id for request in endpoint.received] == [str(lost.claim.event_id)]


async def test_a_result_that_comes_too_late_changes_nothing(office: Office, endpoint: Endpoint) -> None:
    webhook = await office.webhook(endpoint.url)
    await office.log.test(office.actor, webhook.id)
    attempts = office.attempts()
    (late,) = await attempts.claim(office.org_id, 10)
    await office.lose_claims()
    (prompt,) = await attempts.claim(office.org_id, 10)
    await attempts.make(prompt)
    endpoint.status = 500
    await attempts.make(late)
    (delivery,) = await office.deliveries(webhook)
    assert (delivery.delivery.status, [each.number for each in delivery.attempts]) == ("delivered", [2])
    assert (await office.state(webhook)).failing_since is None


async def test_a_slow_endpoint_holds_up_nobody_else(office: Office, operator: Operator) -> None:
    async with Endpoint(status=0) as slow, Endpoint() as quick:
        await office.webhook(slow.url)
        other = Office(operator, await operator.organization("other"), office.clock)
        theirs = await other.webhook(quick.url)
        async with office.courier():
            for _ in range(10):
                await office.happens()
            await until(lambda: slow.at_once == office.settings.connections_per_webhook)
            await other.happens()
            await other.attempted(theirs, 1)
            await until(lambda: slow.at_once > 0)
        assert slow.most_at_once == office.settings.connections_per_webhook


async def test_organizations_with_slow_endpoints_leave_room_for_one_more(
    office: Office, operator: Operator, endpoint: Endpoint
) -> None:
    async with Endpoint(status=0) as slow:
        for each in await _organizations(office, operator, slow, 4):
            for _ in range(4):
                await each.happens()
        async with office.having(connections=8, timeout_seconds=60.0).courier():
            await until(lambda: slow.at_once >= 4)
            (last,) = await _organizations(office, operator, endpoint, 1)
            await last.happens()
            await until(lambda: len(endpoint.received) == 1)


async def test_organizations_take_turns(office: Office, operator: Operator, endpoint: Endpoint) -> None:
    courier = office.having(connections=4, timeout_seconds=60.0).idle_courier()
    async with Endpoint(status=0) as slow:
        async with Endpoint(status=0) as breaking:
            (first,) = await _organizations(office, operator, breaking, 1)
            others = await _organizations(office, operator, slow, 3)
            others += await _organizations(office, operator, endpoint, 1)
            for each in (first, *others):
                await each.happens()
                await each.happens()
            await courier.look()
            await until(lambda: (breaking.at_once, slow.at_once) == (1, 3))
        (webhook,) = await first.webhooks.page(first.actor, None, 1)
        await first.attempted(webhook, 1)
        # There is room for one now, and the first one has something to do again.
        await courier.look()
        await until(lambda: len(endpoint.received) == 1)
        await courier.stop(within=0.0)


async def test_whoever_begins_a_delivery_anew_gets_it_again_under_the_same_id(
    office: Office, endpoint: Endpoint
) -> None:
    webhook = await office.webhook(endpoint.url)
    async with office.courier():
        await office.happens()
        delivery = (await office.attempted(webhook, 1)).delivery
        await office.log.redeliver(office.actor, webhook.id, delivery.id)
        again = await office.attempted(webhook, 2)
    assert again.delivery.status == "delivered"
    one, other = endpoint.received
    assert (one.id, one.body) == (other.id, other.body)


async def test_nothing_is_begun_anew_while_an_attempt_is_under_way(
    office: Office, endpoint: Endpoint
) -> None:
    webhook = await office.webhook(endpoint.url)
    test = await office.log.test(office.actor, webhook.id)
    assert await office.attempts().claim(office.org_id, 1)
    with pytest.raises(IbexError, match="under way"):
        await office.log.redeliver(office.actor, webhook.id, test.delivery.id)


async def test_nor_when_its_webhook_was_disabled_and_enabled_meanwhile(
    office: Office, endpoint: Endpoint
) -> None:
    webhook = await office.webhook(endpoint.url)
    test = (await office.log.test(office.actor, webhook.id)).delivery
    (under_way,) = await office.attempts().claim(office.org_id, 1)
    for status in ("disabled", "enabled"):
        await office.webhooks.update(office.actor, webhook.id, status=status)
    with pytest.raises(IbexError, match="under way"):
        await office.log.redeliver(office.actor, webhook.id, test.id)
    assert await office.log.redeliver_failed(office.actor, webhook.id, test.created_at) == 0
    endpoint.status = 500
    await office.attempts().make(under_way)
    assert await office.log.redeliver_failed(office.actor, webhook.id, test.created_at) == 1


async def test_a_worker_whose_clock_is_ahead_takes_nothing_from_another(
    office: Office, endpoint: Endpoint
) -> None:
    webhook = await office.webhook(endpoint.url)
    await office.log.test(office.actor, webhook.id)
    assert await office.attempts().claim(office.org_id, 1)
    office.clock.forward(hours=1)
    assert await _has_nothing_to_do(office)
    assert await office.attempts().claim(office.org_id, 1) == []


async def test_a_body_that_is_too_long_is_not_sent(office: Office, endpoint: Endpoint) -> None:
    webhook = await office.webhook(endpoint.url)
    async with office.courier():
        await office.happens(names=["x" * 100] * 300)
        delivery = await office.attempted(webhook, 1)
    assert (delivery.delivery.status, delivery.attempts[0].error) == ("failed", "too_large")
    assert endpoint.received == []


async def test_a_stop_leaves_what_is_under_way_to_somebody_else(office: Office) -> None:
    async with Endpoint(status=0) as endpoint:
        webhook = await office.webhook(endpoint.url)
        async with office.courier():
            await office.happens()
            await until(lambda: endpoint.at_once == 1)
        endpoint.status = 204
        await office.lose_claims()
        async with office.courier():
            await office.attempted(webhook, 1)
    assert len({request.id for request in endpoint.received}) == 1
    assert len(endpoint.received) == 2


async def test_one_cheap_question_tells_who_has_something_to_do(office: Office, operator: Operator) -> None:
    assert await _has_nothing_to_do(office)
    await office.happens()
    now = office.clock()
    assert await claims.next_organization(operator.postgres, None, now) == office.org_id
    assert await claims.next_organization(operator.postgres, office.org_id, now) is None


async def _has_nothing_to_do(office: Office) -> bool:
    return await claims.next_organization(office.operator.postgres, None, office.clock()) is None


async def _organizations(office: Office, operator: Operator, endpoint: Endpoint, count: int) -> list[Office]:
    """So many more, each with a webhook that leads there."""
    names = [f"{endpoint.port}-{number}" for number in range(count)]
    made = [Office(operator, await operator.organization(name), office.clock) for name in names]
    for each in made:
        await each.webhook(endpoint.url)
    return made
