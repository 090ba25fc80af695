"""The stems by which a memory is found in a partition that is too large to be searched in a process."""

from ibex.memory.memory import Memory
from ibex.memory.retrieval.tokenizer import Tokenizer


def stems(tokenizer: Tokenizer, memory: Memory) -> list[str]:
    """Of its text and of who said it, each once."""
    voice = memory.provenance.voice or ""
    return list(tokenizer.terms(f"{voice} {memory.content}").counts)
