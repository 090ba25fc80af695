"""The words around a number, which tell a phone number from an order number."""

import re
from dataclasses import dataclass

_WORDS = re.compile(r"[^\W\d_]++")
_PLACEHOLDER = re.compile(r"\[REDACTED:[a-z_]{1,30}\]")
# How far a word may be: in characters, so that the look costs the same anywhere, and in words, so that the
# numbers in between (a list of them, say) do not count.
_REACH_BEFORE = 90
_REACH_AFTER = 40
_WORDS_BEFORE = 6
_WORDS_AFTER = 3
# What may stand between two numbers of one list.
_LIST_GAP = re.compile(r"[\s,;/&|•*-]{1,6}(?:(?:and|or|und|oder|et|ou|y|o|e|en|of)\s)?")
_LONGEST_GAP = 10


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words that speak for one meaning of a number.

    words: taken whole; stems: beginnings of words; parts: found anywhere, for scripts without spaces.
    """

    words: frozenset[str] = frozenset()
    stems: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    def holds(self, word: str) -> bool:
        """Whether the word, in small letters, is one of them."""
        return word in self.words or word.startswith(self.stems) or any(part in word for part in self.parts)


# What numbers are when they are not about a person.
THINGS = Vocabulary(
    words=frozenset({"ref", "isbn", "sku", "build", "case", "konto", "po", "upc", "ean"}),
    stems=(
        "order", "invoice", "ticket", "track", "referenc", "serial", "version", "timestamp", "epoch", "price",
        "part", "product", "model", "batch", "parcel", "shipment", "transaction", "bestell", "rechnung",
        "commande", "factur", "pedido", "ordine", "fattura", "zamówien", "заказ",
    ),
    parts=("订单", "注文"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """The nearest words on both sides of a span, in small letters and in the order of the text."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    def speaks_for(self, vocabulary: Vocabulary, against: Vocabulary = THINGS) -> bool:
        """Whether the nearest word that tells anything is of the vocabulary. Words before come first."""
        for word in (*reversed(self.before), *self.after):
            if vocabulary.holds(word):
                return True
            if against.holds(word):
                return False
        return False

    def has(self, vocabulary: Vocabulary) -> bool:
        """Whether any of the words is of the vocabulary."""
        return any(vocabulary.holds(word) for word in (*self.before, *self.after))

    def speaks_against(self, vocabulary: Vocabulary) -> bool:
        """Whether the number is called a thing, and nothing nearer says that it is of the vocabulary."""
        for word in reversed(self.before):
            if vocabulary.holds(word):
                return False
            if THINGS.holds(word):
                return True
        return False


def context_of(text: str, start: int, end: int) -> Context:
    """The words within reach of the span. A word that the reach cuts counts as what is left of it."""
    before = _words(text[max(0, start - _REACH_BEFORE) : start])[-_WORDS_BEFORE:]
    after = _words(text[end : end + _REACH_AFTER])[:_WORDS_AFTER]
    return Context(tuple(before), tuple(after))


def continues_list(text: str, previous_end: int, start: int) -> bool:
    """Whether only a comma, an `and` or the like stands between the end of one number and the next."""
    if not 0 < start - previous_end <= _LONGEST_GAP:
        return False
    return _LIST_GAP.fullmatch(text, previous_end, start) is not None


def follows_placeholder(text: str, kind: str, start: int) -> bool:
    """Whether the number continues a list whose last number has been redacted already."""
    placeholder = f"[REDACTED:{kind}]"
    at = text.rfind(placeholder, max(0, start - _LONGEST_GAP - len(placeholder)), start)
    return at >= 0 and continues_list(text, at + len(placeholder), start)


def _words(text: str) -> list[str]:
    return _WORDS.findall(_PLACEHOLDER.sub(" ", text).casefold())
