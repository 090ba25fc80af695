"""IBEX: one service between a company's agents and their LLM providers."""

from importlib.metadata import version

__version__ = version("ibex")
