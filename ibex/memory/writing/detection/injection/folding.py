"""A text as a model reads it: without invisible characters, accents, look-alikes and letter games."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text. `origins[i]` is the offset in the original of the character that `text[i]` came from."""

    text: str
    origins: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that a span of the folded text, not empty, came from."""
        return self.origins[start], self.origins[end - 1] + 1


# Unicode Technical Standard 39, `confusables.txt`: small letters, and capitals by their small form, that look
# like Latin ones in Cyrillic, Greek, Armenian and the phonetic alphabet.
_LOOK_ALIKES = str.maketrans(
    "авсенікморѕтухьԁһԛԝӏгјїёαβγεηικνορτυχωϲϳօոսհցզıɡɑɪʀɴʙɢʜʟ",
    "abcehikmopstyxbdhqwlrjieabyenikvoptuxwcjonuhgqigairnbghl",
)
_LEET = str.maketrans("013457$", "oieast" + "s")
_WORD = re.compile(r"[^\W\d_]++")
_ASCII_LETTER = re.compile(r"[a-z]")
_LEET_WORD = re.compile(
    r"(?<![a-z0-9$])(?=[a-z0-9$]{0,30}[a-z][0-9$]|[0-9$]{1,4}[a-z])[a-z0-9$]{3,30}(?![a-z0-9$])"
)


def fold(text: str) -> Folded:
    """Folds case, compatibility forms (NFKC), accents, look-alikes and digits that stand for letters.

    Invisible characters go. Look-alikes are folded only in words that mix scripts, so that Russian and Greek
    stay what they are.
    """
    if text.isascii():
        return Folded(_without_leet(text.lower()), range(len(text)))
    # Folded once per distinct character, and one to one wherever possible: a text has few of either kind.
    folds = {each: _fold_character(each) for each in set(text)}
    table = str.maketrans(folds)
    uneven = "".join(each for each, folded in folds.items() if len(folded) != 1)
    if not uneven:
        return Folded(_unmixed_words(text.translate(table)), range(len(text)))
    pieces: list[str] = []
    origins: list[int] = []
    position = 0
    for match in re.finditer(f"[{re.escape(uneven)}]", text):
        start = match.start()
        folded = folds[match[0]]
        pieces += (text[position:start].translate(table), folded)
        origins.extend(range(position, start))
        origins.extend([start] * len(folded))
        position = match.end()
    pieces.append(text[position:].translate(table))
    origins.extend(range(position, len(text)))
    return Folded(_unmixed_words("".join(pieces)), origins)


def _is_invisible(character: str) -> bool:
    """Whether a character takes no room of its own: format controls, variation selectors, tags, marks."""
    return (
        unicodedata.category(character) == "Cf"
        or "\ufe00" <= character <= "\ufe0f"
        or character in "\u034f\u115f\u3164"
    )


def _fold_character(character: str) -> str:
    if character.isascii():
        return character.lower()
    if _is_invisible(character) or "\u0300" <= character <= "\u036f" or "\u064b" <= character <= "\u065f":
        return ""
    if character < "\u0530" or "\u1e00" <= character <= "\u1fff":
        decomposed = unicodedata.normalize("NFKD", character.casefold())
        return "".join(each for each in decomposed if not unicodedata.combining(each))
    return unicodedata.normalize("NFKC", character).casefold()


def _unmixed_words(text: str) -> str:
    return _without_leet(_WORD.sub(_unmixed, text))


def _unmixed(match: re.Match[str]) -> str:
    word = match[0]
    if word.isascii() or not _ASCII_LETTER.search(word):
        return word
    return word.translate(_LOOK_ALIKES)


def _without_leet(text: str) -> str:
    return _LEET_WORD.sub(lambda match: match[0].translate(_LEET), text)
