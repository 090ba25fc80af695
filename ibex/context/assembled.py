"""What comes of an assembly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ibex.context.learning import Told
from ibex.context.receipts import Receipt, Rung


@dataclass(frozen=True, slots=True)
class Assembled:
    """The body's fields to send, what is in them that the client did not send, and the receipt.

    Parameters
    ----------
    directive: its text, if one is told.
    question: what the user says in this turn; empty when the call only goes on with one.
    """

    fields: Mapping[str, Any] = field(repr=False)
    question: str = field(repr=False)
    told: Sequence[Told]
    directive: str | None = field(repr=False)
    receipt: Receipt

    @property
    def everything_told(self) -> list[Told]:
        """What an answer may repeat without having learned anything: the memories, and the directive."""
        return [*self.told, *([] if self.directive is None else [Told(None, self.directive)])]

    def headers(self) -> dict[str, str]:
        """What the answer says of it."""
        tokens = self.receipt.tokens
        headers = {
            "X-IBEX-Memories-Injected": str(len(self.told)),
            "X-IBEX-Context-Tokens": str(tokens.directive + tokens.notice + tokens.memories),
        }
        if self.receipt.rung not in (Rung.COMPLETE, Rung.SKIPPED):
            headers["X-IBEX-Context-Fallback"] = self.receipt.rung
        return headers
