"""Who is calling, once the token has been checked."""

from dataclasses import dataclass
from uuid import UUID

from ibex.auth.permissions import Permission
from ibex.errors import ErrorCode, IbexError


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified token and the agent it acts for."""

    org_id: UUID
    token_id: UUID
    agent_id: UUID
    agent_slug: str
    permissions: Permission
    user_id: UUID | None = None

    def require(self, needed: Permission) -> None:
        """Raise INSUFFICIENT_PERMISSIONS, naming what is missing, unless every bit is held."""
        missing = needed & ~self.permissions
        if missing:
            names = ", ".join(bit.label for bit in Permission if bit in missing)
            raise IbexError(
                ErrorCode.INSUFFICIENT_PERMISSIONS,
                "The token lacks a permission that this call needs.",
                detail=f"Missing: {names}.",
            )
