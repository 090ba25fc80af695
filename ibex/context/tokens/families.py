"""How many tokens other families of tokenizers make of a text that o200k makes one of."""

from collections.abc import Mapping

from ibex.settings import TokenFamily

# Measured over our own pages and code, cl100k has 1.0 and Claude 2 has 1.08; over Chinese and Russian 1.7 and
# 1.8. The others are judged by the sizes of their vocabularies. Estimates should rather be too high, so that
# what is put in fits; what providers report corrects them.
RATIOS: Mapping[TokenFamily, float] = {
    "o200k": 1.0,
    "cl100k": 1.05,
    "claude": 1.3,
    "gemini": 1.1,
    "llama": 1.05,
    "mistral": 1.15,
    "deepseek": 1.1,
    "qwen": 1.1,
    "grok": 1.1,
    "command": 1.1,
    "other": 1.2,
}


def estimated_o200k(text: str) -> int:
    """The tokens of o200k without its vocabulary: a quarter of ASCII, and a third of every other byte."""
    if text.isascii():
        return -(-len(text) // 4)
    others = at_most(text) - len(text)
    return -(-len(text) // 4) + -(-others // 3)


def at_most(text: str) -> int:
    """More tokens than this a text has in no vocabulary of bytes: its bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
