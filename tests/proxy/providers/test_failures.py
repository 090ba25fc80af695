"""What a provider said of itself, without what it must not tell."""

import string
import time
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from ibex.proxy.providers.failures import AttemptFailedError, _without_secrets, from_answer, to_error

KEYS = st.text(string.ascii_letters + string.digits + "-_.", min_size=8, max_size=60)


@given(KEYS, st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_a_secret_never_stays(secret: str, around: list[str]) -> None:
    assume(secret not in "[redacted]")
    assert secret not in _without_secrets(secret.join(["", *around, ""]), [secret])


@given(KEYS, st.text(max_size=4_000))
def test_a_secret_is_not_cut_in_two_by_the_limit(secret: str, before: str) -> None:
    assume(secret not in "[redacted]")
    text = _without_secrets(before + secret, [secret])
    assert secret not in text
    assert len(text) <= 2_000


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcdefgh12345678",
        "sk-ant-api03-AbC_dEf-123",
        "sk-abc***********xyz",
        "gsk_abcdefghijklmno0",
        "xai-abcdefghijklmno1",
        "pk_live_abcdefghijk2",
        "rk_test_51abcdefghijk",
        "SK-ABCDEFGHIJKLMNOP9",
        "Bearer eyJhbGciOi.eyJzdWIi.sig",
    ],
)
def test_what_looks_like_anybodys_key_does_not_stay(key: str) -> None:
    assert _without_secrets(f"Incorrect API key provided: {key}. See the docs.", []) in {
        "Incorrect API key provided: [redacted] See the docs.",
        "Incorrect API key provided: [redacted]. See the docs.",
    }


@given(
    st.sampled_from(["sk-", "sk-proj-", "sk-ant-api03-", "gsk_", "xai-", "pk_live_", "rk_"]),
    st.text(string.ascii_letters + string.digits, min_size=15, max_size=60),
    st.integers(0, 60),
    st.sampled_from(string.digits),
)
def test_a_key_of_any_form_does_not_stay(prefix: str, key: str, where: int, digit: str) -> None:
    secret = prefix + key[:where] + digit + key[where:]
    assert secret not in _without_secrets(f"Incorrect API key provided: {secret}, see the docs.", [])


@pytest.mark.parametrize(
    "words",
    [
        "key_arguments",
        "key-value-store-2024-edition",
        "pk_customer_id",
        "sk_learn",
        "risk-assessment-2024-01-01",
        "rk_a_long_name_without_numbers",
    ],
)
def test_what_is_only_a_name_stays(words: str) -> None:
    message = f"Unknown field `{words}` in the request."
    assert _without_secrets(message, []) == message


@pytest.mark.parametrize("part", ["sk-", "sk_a", "Bearer ", "Bearer\t", "sk-a*"])
def test_a_hostile_message_costs_no_more_than_its_length(part: str) -> None:
    message = part * (65_536 // len(part))
    started = time.process_time()
    _without_secrets(message, [])
    assert time.process_time() - started < 1.0


@given(st.integers(100, 999), st.binary(max_size=50) | st.builds(orjson.dumps, st.none() | st.text()))
def test_any_answer_becomes_an_error_that_can_be_sent(status: int, body: bytes) -> None:
    headers: CIMultiDict[str] = CIMultiDict({"Retry-After": body.decode("latin-1")})
    failure = from_answer(status, headers, body, ["secret-key"])
    error = to_error(failure, "acme")
    assert 400 <= error.status < 600
    assert error.status != 401
    assert not (failure.blames_the_request and failure.blames_the_provider)
    assert all(value.isdecimal() for value in error.headers.values())


@given(
    st.dictionaries(
        st.sampled_from(["message", "type", "param", "code", "x"]),
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=9) | st.lists(st.text(max_size=3)),
    )
)
def test_only_plain_values_of_known_names_are_told(error: dict[str, Any]) -> None:
    told = from_answer(400, {}, orjson.dumps({"error": error}), []).error
    assert told is not None
    assert set(told) <= {"message", "type", "param", "code"}
    assert all(isinstance(value, str | int) for value in told.values())


@pytest.mark.parametrize(
    ("failure", "retryable", "request_", "provider"),
    [
        (AttemptFailedError("unreachable"), True, False, True),
        (AttemptFailedError("invalid"), True, False, True),
        (AttemptFailedError("timeout"), False, False, True),
        (AttemptFailedError("mismatch"), False, False, False),
        (AttemptFailedError("rate_limited", 429), True, False, False),
        (AttemptFailedError("refused_credentials", 401), False, False, False),
        (AttemptFailedError("error", 400), False, True, False),
        (AttemptFailedError("error", 402), False, False, False),
        (AttemptFailedError("error", 404), False, False, False),
        (AttemptFailedError("error", 409), True, False, False),
        (AttemptFailedError("error", 422), False, True, False),
        (AttemptFailedError("error", 500), True, False, True),
        (AttemptFailedError("error", 501), False, False, True),
    ],
)
def test_what_each_failure_means(
    failure: AttemptFailedError, retryable: bool, request_: bool, provider: bool
) -> None:
    assert (failure.is_retryable, failure.blames_the_request, failure.blames_the_provider) == (
        retryable,
        request_,
        provider,
    )
