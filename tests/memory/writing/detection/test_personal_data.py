"""Personal data is told from the many other numbers that people write."""

import pytest

from ibex.memory.writing.detection import Category, PiiAction, Policy, Verdict, inspect

EVERYTHING = Policy(pii_by_kind={})

# The numbers are those that registers give as examples, or were made to fit their check digits.
PERSONAL = [
    ("email", "Write to ada.lovelace@example.org about it", "ada.lovelace@example.org"),
    ("email", "Ada <ada+tag@mail.example.co.uk>, please", "ada+tag@mail.example.co.uk"),
    ("email", "mailto:jörg@müller.example", "jörg@müller.example"),
    ("phone", "Call me at +44 20 7946 0018", "+44 20 7946 0018"),
    ("phone", "my number: +1 (415) 555-2671.", "+1 (415) 555-2671"),
    ("phone", "+33 6 12 34 56 78 is my mobile", "+33 6 12 34 56 78"),
    ("phone", "WhatsApp +4915112345678 2024", "+4915112345678"),
    ("phone", "(415) 555-2671 works best", "(415) 555-2671"),
    ("phone", "you have 415-555-2671, right?", "415-555-2671"),
    ("phone", "on est au 06 12 34 56 78 ce soir", "06 12 34 56 78"),
    ("phone", "Ruf mich an, Handy 0151 12345678", "0151 12345678"),
    ("phone", "mi teléfono es 612 345 678", "612 345 678"),
    ("phone", "il mio cellulare: 347 123 4567", "347 123 4567"),
    ("phone", "мой телефон 8 916 123-45-67", "8 916 123-45-67"),
    ("phone", "我的手机号码是13812345678\uff0c谢谢", "13812345678"),
    ("phone", "携帯は090-1234-5678です", "090-1234-5678"),
    ("phone", "please text 07400 123456 when you are there", "07400 123456"),
    ("payment_card", "card 4111 1111 1111 1111 exp 12/27", "4111 1111 1111 1111"),
    ("payment_card", "my visa is 4012888888881881", "4012888888881881"),
    ("payment_card", "5555-5555-5555-4444 is the number", "5555-5555-5555-4444"),
    ("payment_card", "Amex 3782 822463 10005 please", "3782 822463 10005"),
    ("payment_card", "pay with 6011111111111117", "6011111111111117"),
    ("iban", "to GB82 WEST 1234 5698 7654 32 PLEASE", "GB82 WEST 1234 5698 7654 32"),
    ("iban", "IBAN DE89370400440532013000.", "DE89370400440532013000"),
    ("iban", "mon compte fr14 2004 1010 0505 0001 3m02 606 merci", "fr14 2004 1010 0505 0001 3m02 606"),
    ("national_id", "SSN 536-90-4399", "536-90-4399"),
    ("national_id", "her social security number is 536904399", "536904399"),
    ("national_id", "NI number QQ123456C? No: AB123456C", "AB123456C"),
    ("national_id", "national insurance: AB 12 34 56 C", "AB 12 34 56 C"),
    ("national_id", "NHS 943 476 5919", "943 476 5919"),
    ("national_id", "nir 2 95 10 99 126 111 93", "2 95 10 99 126 111 93"),
    ("national_id", "numéro 295109912611193", "295109912611193"),
    ("national_id", "Steuer-ID: 36 574 261 809", "36 574 261 809"),
    ("national_id", "DNI 54362315K", "54362315K"),
    ("national_id", "mi NIE es X2482300W", "X2482300W"),
    ("national_id", "codice fiscale RCCMNL83S18D969H", "RCCMNL83S18D969H"),
    ("national_id", "BSN 111222333", "111222333"),
    ("national_id", "meu CPF: 390.533.447-05", "390.533.447-05"),
    ("national_id", "cpf 39053344705", "39053344705"),
    ("national_id", "Aadhaar 2341 2341 2346", "2341 2341 2346"),
    ("national_id", "my PAN card ACUPA7085R", "ACUPA7085R"),
    ("national_id", "PESEL 44051401359", "44051401359"),
    ("national_id", "personnummer 880320-0016", "880320-0016"),
    ("national_id", "AHV 756.9217.0769.85", "756.9217.0769.85"),
    ("national_id", "hetu 131052-308T", "131052-308T"),
    ("national_id", "CPR 211062-5629", "211062-5629"),
    ("national_id", "CURP BOXW310820HNERXN09", "BOXW310820HNERXN09"),
    ("national_id", "身份证号码是360426199101010071", "360426199101010071"),
    ("national_id", "SIN 123-456-782", "123-456-782"),
    ("national_id", "TFN 123 456 782", "123 456 782"),
    ("national_id", "T.C. kimlik no 17291716060", "17291716060"),
    ("national_id", "rijksregisternummer 85.07.30-033.28", "85.07.30-033.28"),
    ("national_id", "fødselsnummer 151086 95088", "151086 95088"),
    ("ip_address", "I logged in from 81.2.69.142 today", "81.2.69.142"),
    ("ip_address", "his address is 2a00:1450:4001:81b::200e", "2a00:1450:4001:81b::200e"),
]

NOT_PERSONAL = [
    "order 4111111111111111 has shipped",
    "Order number 415-555-2671 is late",
    "My order 114-3941689-8772232 arrived.",
    "invoice 2024-000123-4567",
    "tracking number 1Z999AA10123456784",
    "parcel 00340434161094042557",
    "ISBN 978-3-16-148410-0",
    "ISBN 9783161484100",
    "EAN 4006381333931",
    "UUID 550e8400-e29b-41d4-a716-446655440000",
    "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "on 2024-03-12 at 10:30:00",
    "from 12.03.2024 to 15.03.2024",
    "2024-03-12T10:30:00.123456+00:00",
    "timestamp 1710239400123",
    "epoch 1710239400",
    "1710239400 was the moment",
    "version 1.2.3.4 of the firmware",
    "v2.10.345-rc1 was released",
    "It costs 1,234,567.89 euros",
    "the price is $12345678",
    "12 345 678 people live there",
    "a population of 1 412 000 000",
    "Room 101, floor 12, seat 34A",
    "3.14159265358979",
    "call function 1234567 times",
    "I called him at 10:30 on 12/03/2024",
    "call me in 2025 or 2026",
    "I ring twice, then 3 times",
    "#12345678 and #4111111111111111",
    "GPS 52.520008, 13.404954",
    "flight LH1234 at gate B12",
    "server 10.0.0.12 and 192.168.1.1",
    "localhost 127.0.0.1:8000",
    "the ratio 16:9 and 4:3",
    "image@2x.png and logo@3x.jpg",
    "git@github.com:example/project.git",
    "@ada posted it, cc @grace",
    "package@1.2.3",
    "noreply@example.org sent it",
    "ticket 123456789 is open",
    "reference AB123456C for the part",
    "part 12345678Z fits",
    "MAC 00:1A:2B:3C:4D:5E",
    "scores 21-15 19-21 15-13",
    "the years 1990 1991 1992 1993 1994",
    "10 20 30 40 50 60 70 80",
    "0 1 1 2 3 5 8 13 21 34 55 89",
    "lottery 4 8 15 16 23 42",
    "coordinates 123 456 789",
    "serial 4111-1111-1111-1111",
    "4111 1111 1111 1112 is a wrong one",
    "GB82 WEST 1234 5698 7654 33 has a wrong digit",
    "111111111 ones in a row",
    "ISO 9001:2015 and EN 12345678",
    "phone battery: 5000 mAh, model SM-G991B",
    "the telephone was invented in 1876",
    "article 20240312123456 on the web https://example.org/2024/03/12/123456789",
    "commit 1234567 and 7654321",
    "half of 2468101214 is 1234050607",
]


@pytest.mark.parametrize(("kind", "text", "value"), PERSONAL, ids=lambda value: str(value)[:24])
def test_personal_data_is_replaced_by_its_kind(kind: str, text: str, value: str) -> None:
    inspection = inspect(text, EVERYTHING)
    assert inspection.text_to_store == text.replace(value, f"[REDACTED:{kind}]")
    assert inspection.verdict is Verdict.REDACTED


@pytest.mark.parametrize("text", NOT_PERSONAL)
def test_other_numbers_stay(text: str) -> None:
    inspection = inspect(text, EVERYTHING)
    assert inspection.text_to_store == text
    assert inspection.findings == ()


def test_every_number_of_a_list_is_found() -> None:
    text = "Phones: 0151 12345678, 0151 23456789, 0151 34567890 and 0151 45678901"
    placeholder = "[REDACTED:phone]"
    expected = f"Phones: {placeholder}, {placeholder}, {placeholder} and {placeholder}"
    assert inspect(text, EVERYTHING).text_to_store == expected


def test_a_long_list_of_national_numbers_is_found_to_its_end() -> None:
    text = "SSN " + ", ".join(["536904399", "39053344705"] * 20)
    expected = "SSN " + ", ".join(["[REDACTED:national_id]"] * 40)
    assert inspect(text, EVERYTHING).text_to_store == expected


def test_more_numbers_than_are_looked_up_are_still_redacted() -> None:
    text = "\n".join(f"mobile 0151 {number:08d}" for number in range(12345678, 12345678 + 800))
    assert "12345" not in inspect(text, EVERYTHING).text_to_store


def test_allowed_data_is_found_and_kept() -> None:
    text = "Write to ada@example.org"
    inspection = inspect(text, Policy(pii=PiiAction.ALLOW))
    assert inspection.text_to_store == text
    assert inspection.verdict is Verdict.ACCEPT
    assert [each.kind for each in inspection.findings] == ["email"]


def test_quarantined_data_is_kept_for_the_reviewer() -> None:
    text = "Write to ada@example.org"
    inspection = inspect(text, Policy(pii=PiiAction.QUARANTINE))
    assert inspection.text_to_store == text
    assert inspection.verdict is Verdict.QUARANTINE


def test_kinds_are_treated_as_the_organization_chose_for_each() -> None:
    policy = Policy(pii=PiiAction.ALLOW, pii_by_kind={"payment_card": PiiAction.REDACT})
    inspection = inspect("ada@example.org pays with 4111 1111 1111 1111", policy)
    assert inspection.text_to_store == "ada@example.org pays with [REDACTED:payment_card]"
    assert inspection.verdict is Verdict.REDACTED


def test_addresses_of_machines_are_kept_by_default() -> None:
    text = "The server is at 81.2.69.142"
    assert inspect(text, Policy()).text_to_store == text


def test_a_secret_goes_even_where_everything_else_is_allowed() -> None:
    secret = "gh" + "p_" + "a1B2" * 9
    inspection = inspect(f"ada@example.org uses {secret}", Policy(pii=PiiAction.ALLOW))
    assert inspection.text_to_store == "ada@example.org uses [REDACTED:access_token]"
    assert {each.category for each in inspection.findings} == {Category.SECRET, Category.PII}
