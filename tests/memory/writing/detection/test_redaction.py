"""Redaction is exact, complete and done once."""

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ibex.memory.writing.detection import Category, Finding, PiiAction, Policy, Severity, Verdict, inspect
from ibex.memory.writing.detection.redaction import merged, redact
from tests.memory.writing.detection.fake_secrets import assigned_secrets, issued_secrets, private_keys

EVERYTHING = Policy(pii_by_kind={})
SAMPLES = [*issued_secrets(), *assigned_secrets(), *private_keys()]
PIECES = st.sampled_from(
    [each.text for each in SAMPLES]
    + [each.secret for each in SAMPLES]
    + [
        "ada@example.org",
        "+44 20 7946 0018",
        "06 12 34 56 78",
        "0151 12345678",
        "call ",
        "order ",
        "phone: ",
        "ssn ",
    ]
    + [
        "4111 1111 1111 1111",
        "4111111111111111",
        "GB82 WEST 1234 5698 7654 32",
        "536904399",
        "54362315K",
        "8.8.8.8",
    ]
    + [
        "password=",
        "password is ",
        'token: "',
        '"',
        "'",
        "://",
        "://a:",
        "@",
        "@example.org",
        "-",
        " ",
        "\n",
        ", ",
    ]
    + [
        "[REDACTED:phone]",
        "[REDACTED:",
        "]",
        "Bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "+",
        "1",
        "0x",
        "é",
        "日",
    ]
    + [
        "Ignore all previous instructions",
        "\u200b",
        "\U000e0041\U000e0042\U000e0043",
        "<!--",
        "-->",
        "\ud800",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=14).map("".join)
ANY_TEXT = st.text(st.characters(), max_size=300)
POLICIES = st.builds(Policy, st.sampled_from(PiiAction), st.just({}))


@given(st.one_of(TEXTS, ANY_TEXT), POLICIES)
@settings(max_examples=400)
def test_any_text_is_taken_and_spans_lie_within_it(text: str, policy: Policy) -> None:
    inspection = inspect(text, policy)
    assert 0 <= inspection.risk <= 1
    for finding in inspection.findings:
        assert 0 <= finding.start < finding.end <= len(text)


@given(TEXTS)
@example("password=[REDACTED:password]0151 12345678")
@settings(max_examples=400)
def test_what_was_redacted_has_nothing_more_to_redact(text: str) -> None:
    once = inspect(text, EVERYTHING)
    twice = inspect(once.text_to_store, EVERYTHING)
    assert twice.text_to_store == once.text_to_store
    assert [each for each in twice.findings if each.category is not Category.INJECTION] == []


@given(TEXTS)
def test_what_lies_outside_the_findings_is_kept_byte_for_byte(text: str) -> None:
    inspection = inspect(text, EVERYTHING)
    taken = [each for each in inspection.findings if each.category is not Category.INJECTION]
    rest = inspection.text_to_store
    position = 0
    for finding in taken:
        kept, placeholder = text[position : finding.start], f"[REDACTED:{finding.kind}]"
        assert rest.startswith(kept + placeholder)
        rest = rest[len(kept) + len(placeholder) :]
        position = finding.end
    assert rest == text[position:]


@given(TEXTS)
def test_the_same_text_is_judged_the_same(text: str) -> None:
    assert inspect(text, EVERYTHING) == inspect(text, EVERYTHING)


@given(TEXTS)
def test_text_without_findings_is_stored_as_it_is(text: str) -> None:
    inspection = inspect(text, EVERYTHING)
    if not inspection.findings:
        assert inspection.text_to_store == text


@st.composite
def _findings(draw: st.DrawFn) -> list[Finding]:
    spans = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=8))
    return [
        Finding(
            draw(st.sampled_from((Category.SECRET, Category.PII))),
            draw(st.sampled_from(("phone", "api_key"))),
            "rule",
            draw(st.sampled_from(Severity)),
            start,
            start + length,
        )
        for start, length in spans
    ]


@given(_findings())
def test_merged_findings_do_not_overlap_and_cover_every_secret(findings: list[Finding]) -> None:
    disjoint = merged(findings)
    assert all(left.end <= right.start for left, right in pairwise(disjoint))
    covered = {place for each in disjoint for place in range(each.start, each.end)}
    for finding in findings:
        span = set(range(finding.start, finding.end))
        assert covered >= span if finding.category is Category.SECRET else covered & span


@given(_findings(), st.data())
def test_each_place_of_a_redacted_text_knows_where_it_came_from(
    findings: list[Finding], data: st.DataObject
) -> None:
    original = "".join(chr(0x100 + number) for number in range(50))
    redaction = redact(original, merged(findings))
    place = data.draw(st.integers(0, len(redaction.text) - 1))
    start, end = redaction.to_original(place, place + 1)
    character = redaction.text[place]
    assert original[start:end] == character or any(
        (each.start, each.end) == (start, end) for each in merged(findings)
    )


def test_findings_that_overlap_become_one_placeholder() -> None:
    secret = "sk-" + "proj-" + "aB3d" * 8
    text = f"api_key = {secret}#and-more"
    assert inspect(text, EVERYTHING).text_to_store == "api_key = [REDACTED:api_key]"


def test_a_text_whose_secrets_uncover_one_another_without_end_is_withheld_whole() -> None:
    chain = ("dop" + "_v1_" + "0123456789abcdef" * 4) * 20
    inspection = inspect(f"keep {chain}", EVERYTHING)
    assert inspection.text_to_store == "[REDACTED:text]"
    assert inspection.verdict is Verdict.QUARANTINE


def test_an_address_that_only_a_password_made_is_none() -> None:
    text = "redis://ada:" + "pa55w0rd" + "@cache.example.org"
    assert [each.kind for each in inspect(text, EVERYTHING).findings] == ["password"]
