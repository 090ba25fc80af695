"""Finds the memories that a question is about: an `Index` for each partition, `search` over several."""

from ibex.memory.retrieval.hit import Arm, Components, Hit
from ibex.memory.retrieval.index import Index
from ibex.memory.retrieval.query import Beyond, Query
from ibex.memory.retrieval.record import Record
from ibex.memory.retrieval.search import search

__all__ = ["Arm", "Beyond", "Components", "Hit", "Index", "Query", "Record", "search"]
