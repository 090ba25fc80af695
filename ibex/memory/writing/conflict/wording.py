"""Words in the form in which they are compared."""

import re

_WORD = re.compile(r"[^\W_]+(?:['.:/@+-][^\W_]+)*|[$€£]\d[\d.,]*")
_ARTICLES = frozenset(("a", "an", "the", "my", "our", "his", "her", "their", "your", "some", "any"))
_SPELLINGS = {"colour": "color", "favourite": "favorite", "flavour": "flavor", "programme": "program"}
# Of the words of one set only one can be true of a thing.
_CONTRASTS = tuple(
    frozenset(words.split())
    for words in (
        "red orange yellow green blue purple pink brown black white gray grey violet turquoise",
        "monday tuesday wednesday thursday friday saturday sunday",
        "january february march april may june july august september october november december",
        "morning afternoon evening night",
        "spring summer autumn fall winter",
        "dark light",
        "left right",
        "before after",
        "open closed",
        "always sometimes never",
        "hot cold warm",
        "more less",
        "most least",
        "first second third last",
        "buy sell",
        "bought sold",
        "win lose",
        "won lost",
        "start stop",
        "started stopped finished",
        "like dislike hate love",
        "likes dislikes hates loves",
        "good bad",
        "big small",
        "large small",
        "early late",
        "up down",
        "on off",
        "enabled disabled",
        "accepted rejected",
        "aisle window",
        "tea coffee",
        "cat dog",
        "cats dogs",
        "brother sister",
        "mother father",
        "son daughter",
        "husband wife",
        "tabs spaces",
        "long short",
        "formal informal casual",
        "email phone",
    )
)


def words(text: str) -> frozenset[str]:
    """A set of words, written as a line of them."""
    return frozenset(text.split())


def words_of(text: str) -> list[str]:
    """Its words, small, in one spelling."""
    return [
        _SPELLINGS.get(word, word)
        for word in _WORD.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    ]


def plain(text: str) -> str:
    """A value without articles, marks and differences of spelling."""
    return " ".join(word for word in words_of(text) if word not in _ARTICLES)


def stem(word: str) -> str:
    """A word without the commonest endings; only ever compared with another stem."""
    if word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("ing", "es", "ed", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls" else word


def contrast(one: str, other: str) -> bool:
    """Whether two words exclude each other."""
    return one != other and any(one in words and other in words for words in _CONTRASTS)


def has_contrary(word: str) -> bool:
    """Whether some other word excludes it."""
    return any(word in words for words in _CONTRASTS)
