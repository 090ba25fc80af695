"""What a new statement does to those that are there: repeat, replace, or stand beside them. No LLM."""

from ibex.memory.writing.conflict.decision import Decision, Outcome, Verdict, decide
from ibex.memory.writing.conflict.statement import Near, Statement

__all__ = ["Decision", "Near", "Outcome", "Statement", "Verdict", "decide"]
