"""The schedule, Retry-After and signatures, without a network."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier

from ibex.notifications.retry import RetrySchedule, retry_after
from ibex.notifications.signature import new_secret, signed_headers

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)


def test_attempts_go_on_for_a_day_and_a_half() -> None:
    schedule = RetrySchedule(chance=lambda: 0.0)
    waits = [schedule.wait(number, None) for number in range(1, schedule.attempts)]
    assert sum((wait for wait in waits if wait is not None), timedelta()) == timedelta(
        hours=31, minutes=35, seconds=5
    )
    assert schedule.wait(schedule.attempts, None) is None


@given(st.integers(1, 7), st.floats(0, 1), st.none() | st.timedeltas(timedelta(), timedelta(days=9)))
def test_a_wish_makes_no_wait_shorter_and_none_longer_than_a_day(
    number: int, chance: float, wish: timedelta | None
) -> None:
    planned = RetrySchedule(chance=lambda: 0.0).wait(number, None)
    wait = RetrySchedule(chance=lambda: chance).wait(number, wish)
    assert wait is not None
    assert planned is not None
    assert planned <= wait <= timedelta(days=1)


@pytest.mark.parametrize(
    ("header", "wish"),
    [
        (None, None),
        ("soon", None),
        ("-5", None),
        ("120", timedelta(minutes=2)),
        ("9" * 40, timedelta(seconds=999_999_999)),
        ("Thu, 31 Jan 2030 12:01:00 GMT", timedelta(minutes=1)),
        ("Thu, 31 Jan 2030 11:00:00 GMT", timedelta()),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Thu, 31 Jan 2030 12:01:00 +99999999999", None),
    ],
)
def test_what_an_endpoint_wishes(header: str | None, wish: timedelta | None) -> None:
    assert retry_after(header, NOW) == wish


@given(st.text().map(str.encode))
def test_any_body_is_verified_under_either_secret(body: bytes) -> None:
    secrets = [new_secret(), new_secret()]
    headers = signed_headers("an-id", datetime.now(UTC), body, secrets)
    for secret in secrets:
        Verifier(secret).verify(body, dict(headers), json_parse=False)


def test_secrets_have_the_form_of_the_standard() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert secret != new_secret()
