"""From the text of a token to who is calling."""

from ibex.auth.validation.validator import Refused, TokenValidator

__all__ = ["Refused", "TokenValidator"]
