"""What goes wrong, under names that callers may rely on."""

from ibex.errors.codes import EXPLANATIONS, ErrorCode
from ibex.errors.envelope import Dialect, FieldError, IbexError, envelope

__all__ = ["EXPLANATIONS", "Dialect", "ErrorCode", "FieldError", "IbexError", "envelope"]
