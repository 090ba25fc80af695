"""Memories as lines of JSON, out of an organization and into one."""

from ibex.memory.lifecycle.transfer.exporting import MemoryExport
from ibex.memory.lifecycle.transfer.importing import ImportReport, MemoryImport, Refusal
from ibex.memory.lifecycle.transfer.lines import LONGEST_LINE

__all__ = ["LONGEST_LINE", "ImportReport", "MemoryExport", "MemoryImport", "Refusal"]
