"""Memories as lines of JSON, out of an organization and into one."""

from ibex.memory.lifecycle.transfer.exporting import MemoryExport
from ibex.memory.lifecycle.transfer.importing import ImportReport, MemoryImport, Refusal

__all__ = ["ImportReport", "MemoryExport", "MemoryImport", "Refusal"]
