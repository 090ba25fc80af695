"""The o200k vocabulary, which comes with the package; tiktoken would download it when it is first needed."""

import hashlib
import lzma
import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import accumulate, pairwise

from tiktoken import Encoding

SHA256 = "651ec77316f64b858e6cbec935bbd4d8a6c8959a51be08e5c5675bdd31cfd824"
_FILE = "o200k_base.xz"
_TOKENS = 199_998
# That of o200k_base in tiktoken's `openai_public.py`: how text is cut up before tokens are looked for.
PATTERN = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)

# tiktoken looks back over whole runs of white space and gives up in a panic on 500,000 of them, so
# long texts go to it in pieces of so many characters, cut where the pattern cuts them as well: behind a word,
# at the first white space behind anything else, and behind the last line break of white space. Python takes
# \x1c to \x1f for white space, tiktoken does not.
_PIECE = 16_384
_CUT = re.compile(
    "|".join(
        (
            r"(?<=[^\W_])(?=[ .,;:!?\n。，、！？])",  # noqa: RUF001
            r"(?<=[\S\x1c-\x1f])(?=[^\S\r\n\x1c-\x1f])",
            r"(?<=[\r\n])(?=[^\S\r\n\x1c-\x1f]+[\S\x1c-\x1f]|[^\s/])",
        )
    )
)


class VocabularyError(Exception):
    """The vocabulary in the package is not the one that was shipped."""


class Vocabulary:
    """Counts tokens of o200k, once it is loaded.

    Loading takes half a second of a core, in which Python does nothing else, and 45 MB; both are shared by
    processes that are forked afterwards.
    """

    def __init__(self) -> None:
        self._encoding: Encoding | None = None

    @property
    def is_loaded(self) -> bool:
        return self._encoding is not None

    def load(self) -> None:
        """Raises `VocabularyError`. Nothing is done when it is loaded already."""
        if self._encoding is None:
            self._encoding = _encoding()

    def count(self, text: str) -> int | None:
        """The tokens of a text, special tokens as the text that they are; None before it is loaded."""
        if self._encoding is None:
            return None
        count = self._encoding.encode_ordinary
        return sum(len(count(piece)) for piece in pieces(text))


def pieces(text: str) -> Iterator[str]:
    """A text in pieces that have as many tokens together, if it has any place where they can be cut."""
    start = 0
    while len(text) - start > 2 * _PIECE:
        cut = _CUT.search(text, start + _PIECE, start + 2 * _PIECE)
        end = cut.start() if cut else start + 2 * _PIECE
        yield text[start:end]
        start = end
    yield text[start:]


def ranks(packed: bytes) -> dict[bytes, int]:
    """The tokens with their ranks. Raises `VocabularyError`."""
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise VocabularyError(f"{_FILE} is damaged; install IBEX again.")
    tokens = lzma.decompress(packed)
    ends = accumulate(tokens[:_TOKENS], initial=_TOKENS)
    return {tokens[start:end]: rank for rank, (start, end) in enumerate(pairwise(ends))}


def read() -> bytes:
    """The file as it is in the package."""
    return files(__package__).joinpath(_FILE).read_bytes()


def _encoding() -> Encoding:
    tokens = ranks(read())
    encoding = Encoding("o200k_base", pat_str=PATTERN, mergeable_ranks=tokens, special_tokens={})
    # The encoding has a table of its own by now and keeps this one for nothing that is used: 25 MB.
    tokens.clear()
    return encoding
