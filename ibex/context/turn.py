"""One call of a model, as far as its context depends on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ibex.auth import AgentPrincipal
from ibex.errors import Dialect
from ibex.memory import Scope


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """What is asked, by whom, about whom, and what of the context is wanted.

    Parameters
    ----------
    models: that may answer, in order; what is sent must fit into each.
    fields: of the body, as it was parsed; they are not changed.
    session_id: of the conversation. `names_session` is whether the client chose it, and will know it again.
    user_id: the end user.
    without: memories that are left out, to see what would be said without them.
    """

    request_id: UUID
    trace_id: str
    principal: AgentPrincipal
    dialect: Dialect
    models: Sequence[str]
    fields: Mapping[str, Any] = field(repr=False)
    session_id: str | None
    names_session: bool
    user_id: str | None
    skips_memory: bool = False
    skips_learning: bool = False
    directive: str | None = None
    without: frozenset[UUID] = frozenset()
    memory_tokens: int | None = None

    @property
    def scope(self) -> Scope:
        """Whose memories it may be told."""
        principal = self.principal
        return Scope(principal.org_id, principal.agent_id, self.user_id, self.session_id)

    @property
    def is_known_again(self) -> bool:
        """Whether a later call can be of the same end user or session; strangers are never remembered."""
        return self.user_id is not None or self.names_session
