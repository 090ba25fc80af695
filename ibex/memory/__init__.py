"""What agents remember: written through checks, found by words and by meaning, with its history."""

from ibex.memory.assembly import MemoryParts
from ibex.memory.hot_set import HotSet
from ibex.memory.lifecycle.inference import Inference, InferredFeedback
from ibex.memory.lifecycle.service import MemoryLifecycle
from ibex.memory.memory import Label, Memory, NewMemory, Provenance, Scope
from ibex.memory.repository.hot_rows import HotRow
from ibex.memory.retrieval.hit import Components, Hit
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.searching import Filters, Found, Hits, MemorySearch, SearchAnswer, SearchQuery
from ibex.memory.writing.screening import screened_text
from ibex.memory.writing.writer import MemoryWriter
from ibex.memory.writing.written import Written

__all__ = [
    "Components",
    "Filters",
    "Found",
    "Hit",
    "Hits",
    "HotRow",
    "HotSet",
    "Inference",
    "InferredFeedback",
    "Label",
    "Memory",
    "MemoryLifecycle",
    "MemoryParts",
    "MemorySearch",
    "MemoryWriter",
    "NewMemory",
    "Provenance",
    "Scope",
    "SearchAnswer",
    "SearchQuery",
    "Tokenizer",
    "Written",
    "screened_text",
]
