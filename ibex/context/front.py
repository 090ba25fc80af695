"""What stands at the front of a conversation."""

from dataclasses import dataclass

from ibex.context.conversation import Injection
from ibex.context.directives import Directive
from ibex.context.receipts import DirectiveGiven


@dataclass(frozen=True, slots=True)
class Front:
    """The directive, and how memories are marked: the same in each turn of a conversation.

    `notice` says what the nonce marks; None where no memories are told, and then there is no nonce either.
    """

    directive: Directive | None
    nonce: str
    notice: str | None
    directive_tokens: int
    notice_tokens: int

    @property
    def injection(self) -> Injection | None:
        return None if self.directive is None else Injection(self.directive.content, self.directive.mode)

    @property
    def given(self) -> DirectiveGiven | None:
        """The version of the directive, for the receipt."""
        directive = self.directive
        if directive is None:
            return None
        return DirectiveGiven(directive.id, directive.number, directive.sha256, directive.mode)
