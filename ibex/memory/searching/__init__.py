"""Search over the memories of a scope, kept up to date with Postgres."""

from ibex.memory.searching.answer import Found, Hits, SearchAnswer
from ibex.memory.searching.query import Filters, SearchQuery
from ibex.memory.searching.search import MemorySearch, SearchSettings

__all__ = ["Filters", "Found", "Hits", "MemorySearch", "SearchAnswer", "SearchQuery", "SearchSettings"]
