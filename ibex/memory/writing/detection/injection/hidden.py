"""Characters that a person does not see and a model reads, and letters drawn apart."""

import re
from collections.abc import Iterator

from ibex.memory.writing.detection.injection.signal import Sign

# Unicode, chapter 23.9: each tag character is an ASCII character plus E0000. Only the flags of England,
# Scotland and Wales use them: a black flag, up to six tags, and the cancel tag.
_TAGS = re.compile(r"[\U000e0001\U000e0020-\U000e007e]{3,}+\U000e007f?")
_FLAG = "\U0001f3f4"
_LONGEST_FLAG = 7
# Variation selectors come one at a time, after the character that they vary. Runs of them carry bytes.
_SELECTORS = re.compile(r"[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}+")
# Joiners stand between letters of scripts that join, and between emoji. A run of them carries bits.
_ZERO_WIDTH_RUN = re.compile(r"[\u200b-\u200d\u2060-\u2064\ufeff\u180e]{4,}+")
_ZERO_WIDTH_IN_WORD = re.compile(
    r"(?<=[A-Za-z])[\u200b-\u200d\u2060-\u2064\ufeff\u00ad\u180e]{1,3}(?=[A-Za-z])"
)
_OVERRIDE = re.compile(r"[\u202d\u202e]")
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]|\x1b\]")

_SPACED = re.compile(r"(?<![^\W_])(?:[a-z][ .\-_*]{1,3}){11,200}[a-z](?![^\W_])")
_NOT_LETTERS = re.compile(r"[^a-z]")
_SPELLED = re.compile(
    r"(?:ignor|disregard|forget|overrid|bypass|reveal)[a-z]{0,40}(?:instruct|prompt|rule|polic|guideline)"
)

# Two of them in one text are more than a copied soft hyphen.
_FEW_IN_WORDS = 2


def find_hidden(text: str) -> Iterator[Sign]:
    """Invisible characters in places where writing has no use for them."""
    if text.isascii():
        for match in _ESCAPE.finditer(text):
            yield Sign("terminal_escape", 0.25, *match.span())
        return
    for match in _TAGS.finditer(text):
        is_flag = text[match.start() - 1 : match.start()] == _FLAG and len(match[0]) <= _LONGEST_FLAG
        if not is_flag:
            yield Sign("tag_characters", 0.8, *match.span())
    for pattern, rule, weight in (
        (_SELECTORS, "variation_selectors", 0.7),
        (_ZERO_WIDTH_RUN, "zero_width_run", 0.6),
    ):
        for match in pattern.finditer(text):
            yield Sign(rule, weight, *match.span())
    in_words = [match.span() for match in _ZERO_WIDTH_IN_WORD.finditer(text)]
    for span in in_words:
        yield Sign("zero_width_in_word", 0.3 if len(in_words) > _FEW_IN_WORDS else 0.15, *span)
    weight = 0.2 if _RIGHT_TO_LEFT.search(text) else 0.55
    for match in _OVERRIDE.finditer(text):
        yield Sign("bidi_override", weight, *match.span())


def tags_as_ascii(text: str) -> str:
    """The text that tag characters spell."""
    return "".join(chr(ord(each) - 0xE0000) for each in text if "\U000e0020" <= each <= "\U000e007e")


def find_spelled(folded: str) -> Iterator[tuple[int, int]]:
    """Spans of the folded text where single letters, drawn apart, spell an instruction to drop the rules."""
    for match in _SPACED.finditer(folded):
        if _SPELLED.search(_NOT_LETTERS.sub("", match[0])):
            yield match.span()
