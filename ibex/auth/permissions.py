"""What a token may do: a 64-bit map, written `memory:read`, `directive:promote` and so on."""

from collections.abc import Iterable
from enum import IntFlag


class Permission(IntFlag):
    """One bit each; the positions are part of the wire contract and never change."""

    MEMORY_READ = 1 << 0
    MEMORY_WRITE = 1 << 1
    MEMORY_DELETE = 1 << 2
    MEMORY_EXPORT = 1 << 3
    DIRECTIVE_READ = 1 << 8
    DIRECTIVE_WRITE = 1 << 9
    DIRECTIVE_PROMOTE = 1 << 10
    DIRECTIVE_REVOKE = 1 << 11
    SESSION_CREATE = 1 << 16
    SESSION_READ = 1 << 17
    SESSION_TERMINATE = 1 << 18
    TRACE_READ = 1 << 24
    TRACE_EXPORT = 1 << 25
    ADMIN_USERS = 1 << 32
    BILLING_READ = 1 << 33
    BILLING_MANAGE = 1 << 34
    ORGANIZATION_SETTINGS = 1 << 35
    TOKEN_CREATE = 1 << 36
    TOKEN_REVOKE = 1 << 37

    @property
    def label(self) -> str:
        """`memory:read` for MEMORY_READ; of one bit only."""
        return _LABELS[self]


NO_PERMISSION = Permission(0)
ALL = Permission(sum(Permission))
CHAT = Permission.MEMORY_READ | Permission.SESSION_CREATE | Permission.SESSION_READ

_LABELS = {bit: (bit.name or "").lower().replace("_", ":", 1) for bit in Permission}
_BY_LABEL = {label: bit for bit, label in _LABELS.items()}


class UnknownPermissionError(ValueError):
    """A name that is no permission; the message lists those that exist."""

    def __init__(self, label: str) -> None:
        super().__init__(f"There is no permission `{label}`. There are: {', '.join(_BY_LABEL)}; chat; all.")


def parse_permissions(labels: Iterable[str]) -> Permission:
    """The union of permissions by name; `chat` and `all` name sets. Raises `UnknownPermissionError`."""
    permissions = NO_PERMISSION
    for label in labels:
        if label == "all":
            permissions |= ALL
        elif label == "chat":
            permissions |= CHAT
        elif label in _BY_LABEL:
            permissions |= _BY_LABEL[label]
        else:
            raise UnknownPermissionError(label)
    return permissions


def permission_labels(permissions: int) -> list[str]:
    """The names of every bit that is set, in order of position."""
    return [bit.label for bit in Permission if bit & permissions]
