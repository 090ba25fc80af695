"""What agents remember: written through checks, found by words and by meaning, with its history."""

from ibex.memory.assembly import MemoryParts
from ibex.memory.lifecycle.service import MemoryLifecycle
from ibex.memory.memory import Label, Memory, NewMemory, Provenance, Scope
from ibex.memory.searching import Filters, Found, MemorySearch, SearchAnswer, SearchQuery
from ibex.memory.writing.writer import MemoryWriter
from ibex.memory.writing.written import Written

__all__ = [
    "Filters",
    "Found",
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
    "Written",
]
