"""What a token may do: a 64-bit map, written `memory:read`, `directive:promote` and so on."""

from collections.abc import Iterable
from dataclasses import dataclass
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


class PlatformRight(IntFlag):
    """Rights over the installation, beyond any organization; only granted on the machine or by a holder."""

    # Create, suspend, resume and delete organizations, and set their limits.
    ORGANIZATIONS = 1 << 0
    # Ask over gRPC whether tokens and agents of any organization are valid.
    VALIDATE = 1 << 1


NO_PERMISSION = Permission(0)
NO_RIGHT = PlatformRight(0)
ALL_RIGHTS = PlatformRight(sum(PlatformRight))
ALL = Permission(sum(Permission))
CHAT = Permission.MEMORY_READ | Permission.SESSION_CREATE | Permission.SESSION_READ

_LABELS = {bit: (bit.name or "").lower().replace("_", ":", 1) for bit in Permission}
_BY_LABEL = {label: bit for bit, label in _LABELS.items()}
_RIGHT_LABELS = {right: f"platform:{(right.name or '').lower()}" for right in PlatformRight}
_RIGHTS_BY_LABEL = {label: right for right, label in _RIGHT_LABELS.items()}


class UnknownPermissionError(ValueError):
    """A name that is no permission; the message lists those that exist."""

    def __init__(self, label: str) -> None:
        names = ", ".join((*_BY_LABEL, *_RIGHTS_BY_LABEL))
        super().__init__(f"There is no permission `{label[:64]}`. There are: {names}; chat; all.")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is to hold: permissions in its organization, and rights over the installation."""

    permissions: Permission
    platform: PlatformRight = NO_RIGHT

    def labels(self) -> list[str]:
        """All of it by name."""
        return [*permission_labels(self.permissions), *platform_labels(self.platform)]

    def without(self, other: "Grant") -> "Grant":
        """What is in this grant and not in the other, bits included that only a newer version knows."""
        # Not `& ~other`: the inverse of a flag has the bits that have a name, and no others.
        return Grant(
            self.permissions ^ (self.permissions & other.permissions),
            self.platform ^ (self.platform & other.platform),
        )

    def __bool__(self) -> bool:
        return bool(self.permissions or self.platform)


EVERYTHING = Grant(ALL, ALL_RIGHTS)


def parse_grant(labels: Iterable[str]) -> Grant:
    """The union of what is named; `chat` and `all` name sets. Raises `UnknownPermissionError`.

    `all` is every permission in the organization, and no right over the installation.
    """
    permissions, platform = NO_PERMISSION, NO_RIGHT
    for label in labels:
        if label == "all":
            permissions |= ALL
        elif label == "chat":
            permissions |= CHAT
        elif label in _BY_LABEL:
            permissions |= _BY_LABEL[label]
        elif label in _RIGHTS_BY_LABEL:
            platform |= _RIGHTS_BY_LABEL[label]
        else:
            raise UnknownPermissionError(label)
    return Grant(permissions, platform)


def permission_labels(permissions: int) -> list[str]:
    """The names of every bit that is set, in order of position."""
    return [label for bit, label in _LABELS.items() if bit & permissions]


def platform_labels(rights: int) -> list[str]:
    """The same for rights over the installation."""
    return [label for right, label in _RIGHT_LABELS.items() if right & rights]
