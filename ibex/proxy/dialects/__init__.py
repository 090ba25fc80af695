"""The interfaces of providers that are spoken here: how each is read, and how it tells errors."""

from ibex.proxy.dialects.anthropic import ANTHROPIC
from ibex.proxy.dialects.interface import Interface, Said, Summary, Usage, UsageSource
from ibex.proxy.dialects.openai import OPENAI

__all__ = ["ANTHROPIC", "OPENAI", "Interface", "Said", "Summary", "Usage", "UsageSource"]
