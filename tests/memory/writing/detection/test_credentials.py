"""No secret reaches what is stored, and what only looks like one stays."""

import pytest

from ibex.memory.writing.detection import Category, Policy, Severity, Verdict, inspect
from tests.memory.writing.detection.fake_secrets import Sample, assigned_secrets, issued_secrets, private_keys

SECRETS = [*issued_secrets(), *assigned_secrets(), *private_keys()]

NO_SECRETS = [
    "The password is required to have eight characters.",
    "password: please reset it",
    "I forgot my password again, can you help?",
    "The token is expired, log in again.",
    "Key: to be agreed with the landlord",
    'password = os.environ["DB_PASSWORD"]',
    "password=${DB_PASSWORD}",
    "api_key: <your api key>",
    "api_key = YOUR_API_KEY_GOES_HERE_123456",
    "token = {{ secrets.TOKEN }}",
    "password: ********",
    "secret: getenv('SECRET_1')",
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "The request id is 018f3c5e-7a1b-7c2d-8e3f-0123456789ab.",
    "pip install sk-learn-contrib-something-very-long-name",
    "The task-sk-team-planning-board-overview is open.",
    "See https://example.org/a/b/c?id=123&name=ada",
    "https://example.org:8443/path@2x.png",
    "The secret of a good soup is time.",
    "Her secret: a spoon of mustard.",
    "My pass is 45.00/month on the tram.",
    "npm_config_registry is set",
    "A key-value store holds pairs.",
    "The author: bearer of good news arrived.",
    "curl -u is the flag for credentials",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHi ada@example",
    "authorization: see the form in annex B",
    "the passcode: 14:30 on 2024-05-01 in room 3",
    "the token 018f3c5e-7a1b-7c2d-8e3f-0123456789ab was listed",
    "the key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b is a commit",
    "mysql -u root -p",
    "Token count: 1200, token limit: 4096",
    "The monkey: a story in five parts for children1",
    "The keyboard: qwerty-layout-with-87-keys",
]


@pytest.mark.parametrize("sample", SECRETS, ids=lambda sample: sample.name)
def test_a_secret_is_not_stored(sample: Sample) -> None:
    inspection = inspect(sample.text, Policy())
    assert sample.secret not in inspection.text_to_store
    assert "[REDACTED:" in inspection.text_to_store
    assert inspection.verdict is Verdict.REDACTED
    assert any(each.category is Category.SECRET for each in inspection.findings)


@pytest.mark.parametrize("sample", SECRETS, ids=lambda sample: sample.name)
def test_no_long_piece_of_a_secret_is_left_behind(sample: Sample) -> None:
    stored = inspect(sample.text, Policy()).text_to_store
    pieces = {sample.secret[start : start + 8] for start in range(len(sample.secret) - 7)}
    assert not any(piece in stored for piece in pieces)


@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_is_no_secret_is_stored_as_it_is(text: str) -> None:
    inspection = inspect(text, Policy())
    assert inspection.text_to_store == text
    assert inspection.verdict is Verdict.ACCEPT


def test_only_the_password_of_a_database_url_goes() -> None:
    text = "postgres://ada:" + "pa55-w0rd" + "@db.example.org:5432/app?sslmode=require"
    stored = inspect(text, Policy()).text_to_store
    assert stored == "postgres://ada:[REDACTED:password]@db.example.org:5432/app?sslmode=require"


def test_the_text_around_a_secret_stays_byte_for_byte() -> None:
    secret = issued_secrets()[0].secret
    text = f"\ttabs, 日本語 and \u200f marks {secret}\r\nanother  line \U0001f600 {secret} end "
    assert inspect(text, Policy()).text_to_store == text.replace(secret, "[REDACTED:api_key]")


def test_a_whole_private_key_becomes_one_placeholder() -> None:
    sample = private_keys()[0]
    assert (
        inspect(sample.text, Policy()).text_to_store == "Here it is:\n[REDACTED:private_key]\nKeep it safe."
    )
    assert inspect(sample.text, Policy()).findings[0].severity is Severity.CRITICAL


@pytest.mark.parametrize("sample", SECRETS, ids=lambda sample: sample.name)
def test_the_secret_is_not_in_the_repr(sample: Sample) -> None:
    inspection = inspect(sample.text, Policy())
    assert sample.secret not in repr(inspection)
    assert sample.secret not in repr(inspection.findings)
