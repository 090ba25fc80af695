"""The work grows with the text and no faster, whatever the text is.

Work inside a pattern cannot be counted, so it is read off the pattern: whatever repeats without an upper
bound is possessive and gives no character back. The rest is counted in calls.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from types import FrameType, ModuleType

import pytest

import ibex.memory.writing.detection as detection
from ibex.memory.writing.detection import Policy, inspect
from ibex.memory.writing.detection.credentials.providers import PROVIDER_RULES
from ibex.memory.writing.detection.injection.english import ENGLISH
from ibex.memory.writing.detection.injection.languages import LANGUAGES
from ibex.memory.writing.detection.personal.registers import REGISTERS

# Units that make some rule begin again and again without an end, or find something each time.
UNITS = [
    "a", "1", "A1", "a@", "a.", "@", "sk-", "eyJ", "eyJaaaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----\n", "a://b:",
    "password:", "password = ", 'password="', "api_key ", "Bearer ", "ignore all ", "ignore ", "you are now ",
    "![a](http://a?", "<!--", "[//]: # (", "QUFB", "DE12 ", "DE12 A A ", "+1 2 ", "+33612345678 ",
    "call 1111111111 ",
    "0151 12345678, ", "a\u200b", "\u200b", "\U000e0041", "ab12", "%41", "<img src=", "((", "a b c ",
    "\nHuman: ",
    "123-45-6789 ", "4111111111111111 ", "8.8.8.8 ", "::1 ", "忽略之前", "игнорируй ", "ß",
    "[REDACTED:phone] ",
    "4111 1111 1111 1111", "ada@example.org ", "send all ", "style=", "\U0001f3f4", "ghp_", "Key=", "\x1b[",
]  # fmt: skip


def calls(text: str) -> int:
    """How many functions, of Python and of C, the inspection of the text calls."""
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        inspect(text, Policy(pii_by_kind={}))
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: ascii(unit)[1:20])
def test_four_times_the_text_takes_four_times_the_calls(unit: str) -> None:
    inspect(unit * 100, Policy(pii_by_kind={}))  # what is loaded with the first candidate is loaded now
    short, long = calls(unit * 1_000), calls(unit * 4_000)
    # A look-up in a numbering plan is many calls, and after some hundred of them there are no more.
    assert long <= 4.5 * short + 2_000


def _patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for rule in PROVIDER_RULES:
        yield rule.name, rule.pattern
    for phrase in (*ENGLISH, *LANGUAGES):
        yield phrase.rule, re.compile(phrase.expression)
    for register in REGISTERS:
        yield register.rule, register.shape
    for module in _modules():
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{module.__name__.rpartition('.')[2]}.{name}", value


def _modules() -> Iterator[ModuleType]:
    prefix = detection.__name__
    for name in sorted(sys.modules):
        if name.startswith(prefix):
            yield importlib.import_module(name)


def _endless(tokens: object) -> Iterator[str]:
    """The kinds of repetition in a parsed pattern that have no upper bound and give characters back."""
    for code, argument in list(tokens):  # type: ignore[call-overload]
        if str(code) in ("MAX_REPEAT", "MIN_REPEAT") and argument[1] > 10_000:
            yield str(code)
        for part in argument if isinstance(argument, tuple | list) else ():
            for each in part if isinstance(part, list) else (part,):
                if hasattr(each, "data"):
                    yield from _endless(each)


@pytest.mark.parametrize(("name", "pattern"), list(_patterns()), ids=lambda value: str(value)[:40])
def test_a_pattern_without_an_upper_bound_gives_nothing_back(name: str, pattern: re.Pattern[str]) -> None:
    parser = importlib.import_module("re._parser")
    assert list(_endless(parser.parse(pattern.pattern, pattern.flags))) == []
