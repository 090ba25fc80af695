"""Endpoints that do not take what they are sent."""

from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from ibex.errors import IbexError
from ibex.notifications import DeliveryRetention
from ibex.notifications.retry import RetrySchedule
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.notifications.endpoint import Endpoint
from tests.notifications.office import Office, found_at

ATTEMPTS = RetrySchedule().attempts


async def test_an_endpoint_that_is_broken_for_a_day_gets_everything_in_the_end(
    office: Office, endpoint: Endpoint
) -> None:
    endpoint.status = 500
    webhook = await office.webhook(endpoint.url)
    start = office.clock()
    async with office.courier():
        event = await office.happens()
        number = 0
        while office.clock() - start < timedelta(days=1):
            number += 1
            delivery = (await office.attempted(webhook, number)).delivery
            assert delivery.due_at is not None
            office.clock.now = delivery.due_at
        endpoint.status = 204
        last = await office.attempted(webhook, number + 1)
    assert last.delivery.status == "delivered"
    assert [each.status for each in last.attempts] == [500] * number + [204]
    assert {request.id for request in endpoint.received} == {str(event.id)}
    assert (await office.state(webhook)).failing_since is None


async def test_after_the_last_attempt_a_delivery_is_given_up_until_somebody_wants_it(
    office: Office, endpoint: Endpoint
) -> None:
    endpoint.status = 503
    webhook = await office.webhook(endpoint.url)
    since = office.clock()
    async with office.courier():
        await office.happens()
        for number in range(1, ATTEMPTS + 1):
            delivery = (await office.attempted(webhook, number)).delivery
            office.clock.now = delivery.due_at or office.clock()
        assert (delivery.status, delivery.due_at) == ("failed", None)
        assert timedelta(hours=31) < office.clock() - since < timedelta(hours=36)
        endpoint.status = 200
        assert await office.log.redeliver_failed(office.actor, webhook.id, office.clock()) == 0
        past = delivery.created_at - timedelta(seconds=1)
        assert await office.log.redeliver_failed(office.actor, webhook.id, past) == 1
        again = await office.attempted(webhook, ATTEMPTS + 1)
    assert again.delivery.status == "delivered"
    assert len({request.id for request in endpoint.received}) == 1


async def test_an_endpoint_that_hangs_is_left_after_the_timeout(office: Office) -> None:
    async with Endpoint(status=0) as endpoint:
        webhook = await office.webhook(endpoint.url)
        async with office.impatient().courier():
            await office.happens()
            delivery = await office.attempted(webhook, 1)
    assert (delivery.delivery.status, delivery.attempts[0].error) == ("pending", "timeout")
    assert delivery.delivery.due_at == office.clock() + timedelta(seconds=5)


async def test_an_endpoint_that_has_taken_it_may_be_slow_with_the_rest(office: Office) -> None:
    async with Endpoint(status=200, withheld=5) as endpoint:
        webhook = await office.webhook(endpoint.url)
        async with office.impatient(0.5).courier():
            await office.happens()
            delivery = await office.attempted(webhook, 1)
    assert (delivery.delivery.status, delivery.attempts[0].status) == ("delivered", 200)


async def test_what_nobody_has_foreseen_is_a_failure_and_not_a_loop(
    office: Office, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """A label of a name has 63 characters at most, which is found out late."""
    webhook = await office.webhook(f"http://{'x' * 64}.example.com:{endpoint.port}/")
    async with office.courier(find=found_at("127.0.0.1")):
        await office.happens()
        delivery = await office.attempted(webhook, 1)
    assert (delivery.delivery.status, delivery.attempts[0].error) == ("pending", "unexpected")
    assert "UnicodeError" in caplog.text
    assert "xxx" not in caplog.text


async def test_an_endpoint_can_ask_to_be_left_alone(office: Office, endpoint: Endpoint) -> None:
    endpoint.status, endpoint.headers = 429, {"Retry-After": "3600"}
    webhook = await office.webhook(endpoint.url)
    async with office.courier():
        await office.happens()
        delivery = (await office.attempted(webhook, 1)).delivery
    assert delivery.due_at == office.clock() + timedelta(hours=1)


async def test_a_failing_endpoint_is_asked_one_thing_at_a_time(office: Office) -> None:
    async with Endpoint(status=500) as endpoint:
        webhook = await office.webhook(endpoint.url)
        async with office.courier():
            await office.happens()
            await office.attempted(webhook, 1)
            endpoint.status, endpoint.most_at_once = 0, 0
            for _ in range(5):
                await office.happens()
            await until(lambda: endpoint.at_once == 1)
        assert endpoint.most_at_once == 1


async def test_a_redirect_is_not_followed(office: Office, endpoint: Endpoint) -> None:
    async with Endpoint() as elsewhere:
        endpoint.status, endpoint.headers = 307, {"Location": elsewhere.url}
        webhook = await office.webhook(endpoint.url)
        async with office.courier():
            await office.happens()
            delivery = await office.attempted(webhook, 1)
    assert (delivery.attempts[0].status, delivery.attempts[0].error) == (307, "redirect")
    assert elsewhere.received == []


async def test_an_endpoint_that_is_gone_is_asked_no_more(
    office: Office, endpoint: Endpoint, database: Database
) -> None:
    endpoint.status = 410
    webhook = await office.webhook(endpoint.url)
    async with Endpoint() as other:
        watching = await office.webhook(other.url, "webhook.disabled")
        async with office.courier():
            await office.happens()
            await office.attempted(watching, 1)
            await office.happens()
            await until(lambda: len(other.received) == 1)
    disabled = await office.state(webhook)
    assert (disabled.status, disabled.reason) == ("disabled", "gone")
    assert other.received[0].json()["data"] == {"webhook_id": str(webhook.id), "reason": "gone"}
    assert len(endpoint.received) == 1
    with psycopg.connect(database.superuser_dsn, row_factory=dict_row) as connection:
        audited = connection.execute("SELECT actor, action FROM ibex.audit_events ORDER BY number DESC")
        assert audited.fetchone() == {"actor": "system", "action": "webhook.disable"}


async def test_what_fails_for_days_is_disabled_and_can_be_enabled_again(
    office: Office, endpoint: Endpoint
) -> None:
    endpoint.status = 500
    webhook = await office.webhook(endpoint.url)
    async with office.courier():
        for number in range(ATTEMPTS + 1):
            await office.happens()
            await office.attempted(webhook, 1, number)
        assert (await office.state(webhook)).status == "enabled"
        office.clock.forward(days=office.settings.disable_after_days)

        async def is_disabled() -> bool:
            return (await office.state(webhook)).reason == "failing"

        await until(is_disabled)
        assert {each.delivery.status for each in await office.deliveries(webhook)} == {"failed"}
        with pytest.raises(IbexError, match="disabled"):
            await office.log.test(office.actor, webhook.id)
        endpoint.status = 200
        enabled = await office.webhooks.update(office.actor, webhook.id, status="enabled")
        assert (enabled.reason, enabled.failing_since, enabled.failed_in_a_row) == (None, None, 0)
        test = await office.log.test(office.actor, webhook.id)
        await office.attempted(webhook, 1, ATTEMPTS + 1)
    assert endpoint.received[-1].id == str(test.delivery.event_id)


async def test_what_waits_for_a_webhook_that_is_disabled_is_given_up(
    office: Office, endpoint: Endpoint
) -> None:
    webhook = await office.webhook(endpoint.url)
    await office.log.test(office.actor, webhook.id)
    (under_way,) = await office.attempts().claim(office.org_id, 1)
    await office.webhooks.update(office.actor, webhook.id, status="disabled")
    (delivery,) = await office.deliveries(webhook)
    assert (delivery.delivery.status, delivery.delivery.due_at) == ("failed", None)
    await office.attempts().make(under_way)
    (delivery,) = await office.deliveries(webhook)
    assert delivery.delivery.status == "delivered"


async def test_the_log_forgets_what_was_over_long_ago(office: Office, endpoint: Endpoint) -> None:
    webhook = await office.webhook(endpoint.url)
    async with office.courier():
        await office.happens()
        await office.attempted(webhook, 1)
    office.clock.forward(days=31)
    await office.log.test(office.actor, webhook.id)
    retention = DeliveryRetention(office.operator.postgres, timedelta(days=30), office.clock)
    await retention.run()
    assert [each.delivery.type for each in await office.deliveries(webhook)] == ["webhook.test"]
