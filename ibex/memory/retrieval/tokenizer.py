"""Text to index terms."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import Stemmer

from ibex.memory.retrieval.stop_words import STOP_WORDS

# ruff: noqa: RUF001, the point here is other scripts
# Scripts that are written without spaces: Thai to Khmer, kana, Han, Hangul.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
# Vowel signs that `\w` leaves out although they stand within words: Hebrew, Arabic, the scripts of India.
_SIGNS = "\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0980-\u0dff"
_WORD = re.compile(rf"\d{{1,3}}(?:,\d{{3}})+(?!\d)|[{_UNSPACED}]+|(?:(?![{_UNSPACED}])[^\W_]|[{_SIGNS}])+")
_ASCII_WORD = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)|[a-z0-9]+")
_IDEOGRAPH = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_UNSPACED_WORD = re.compile(f"[{_UNSPACED}]")
# All but that of the Russian \u0439, without which it is another letter.
_ACCENT = re.compile("[\u0300-\u0305\u0307-\u036f]|(?<![\u0418\u0438])\u0306")
_CONTRACTION = re.compile(r"(?<=\w)(?:n['’]t|['’](?:s|d|m|ll|re|ve))\b")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_SENTENCE = re.compile(r"[^.!?。！？؟\n]+[.!?。！？؟]*")
_QUESTION = ("?", "？", "؟")
# Scripts that one language of those with a stemmer stands for; words of any other are stemmed as English.
_LANGUAGES = {
    "\u0370-\u03ff": "greek",
    "\u0400-\u04ff": "russian",
    "\u0600-\u06ff": "arabic",
    "\u0900-\u097f": "hindi",
}
_SCRIPT = re.compile("|".join(f"(?P<{language}>[{script}])" for script, language in _LANGUAGES.items()))
# Longer runs of letters are keys and encodings, not words.
_LONGEST_WORD = 64
# Far beyond the words of one language; what is asked of it is mostly the same few thousand.
_STEMS_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one text.

    Parameters
    ----------
    counts: how often each term occurs.
    length: number of terms.
    stated: number of distinct terms, less the share of the text that asks.
    """

    counts: Counter[str]
    length: int
    stated: float


class Tokenizer:
    """Cuts text into words, and reduces the words to stems.

    Letters and digits of any script; case, accents and width are folded. Scripts without spaces give bigrams,
    and ideographs stand by themselves besides, since many are words (Nie et al., IRAL 2000). Stems are those
    of Snowball: of English for the Latin script, and for a few others of the language most written in it.
    """

    def __init__(self) -> None:
        self._stemmers = {name: Stemmer.Stemmer(name) for name in ("english", *_LANGUAGES.values())}
        self._stems: dict[str, tuple[str, ...]] = {}

    def terms(self, text: str) -> Terms:
        terms = self._stemmed(text)
        counts = Counter(terms)
        stated = len(counts) * (1 - self._share_of_questions(text, len(terms)))
        return Terms(counts, len(terms), stated)

    def words(self, text: str) -> Iterator[str]:
        """Every word, folded, stop words included."""
        return (word for run in _runs(text) for word in _words(run))

    def _stemmed(self, text: str) -> list[str]:
        stems = self._stems
        terms: list[str] = []
        for run in _runs(text):
            terms += stems[run] if run in stems else self._stems_of(run)
        return terms

    def _stems_of(self, run: str) -> tuple[str, ...]:
        stemmer = self._stemmers[_language(run)]
        words = (*_words(run), *(_IDEOGRAPH.findall(run) if len(run) > 1 else ()))
        stems = tuple(stemmer.stemWord(word) for word in words if word not in STOP_WORDS)
        if len(run) <= _LONGEST_WORD:
            if len(self._stems) >= _STEMS_KEPT:
                self._stems.clear()
            self._stems[run] = stems
        return stems

    def _share_of_questions(self, text: str, length: int) -> float:
        if not length or not any(mark in text for mark in _QUESTION):
            return 0.0
        questions = (sentence for sentence in _SENTENCE.findall(text) if sentence.endswith(_QUESTION))
        return min(1.0, sum(len(self._stemmed(sentence)) for sentence in questions) / length)


def _runs(text: str) -> list[str]:
    """Letters and digits that stand together, folded."""
    if text.isascii():
        folded, pattern = text.lower(), _ASCII_WORD
    else:
        folded = unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFKD", text))).casefold()
        pattern = _WORD
    if "'" in folded or "’" in folded:
        folded = _CONTRACTION.sub("", folded)
    return pattern.findall(folded)


def _words(run: str) -> Iterator[str]:
    if len(run) > 1 and _UNSPACED_WORD.match(run):
        return (run[at : at + 2] for at in range(len(run) - 1))
    return iter((_number(run[:_LONGEST_WORD]),))


def _language(run: str) -> str:
    script = None if run.isascii() else _SCRIPT.match(run)
    return (script and script.lastgroup) or "english"


def _number(word: str) -> str:
    """Numbers in one form: no leading zeros or commas, ordinals as cardinals, digits as 0 to 9."""
    ordinal = _ORDINAL.fullmatch(word)
    digits = ordinal[1] if ordinal else word.replace(",", "")
    return str(int(digits)) if digits.isdecimal() else word
