"""What a person may do in an organization: a role is a set of permissions."""

from typing import Literal

from ibex.auth.permissions import ALL, Permission

Role = Literal["owner", "admin", "member", "viewer"]

_VIEWER = Permission.MEMORY_READ | Permission.DIRECTIVE_READ | Permission.SESSION_READ | Permission.TRACE_READ
_MEMBER = (
    _VIEWER
    | Permission.MEMORY_WRITE
    | Permission.MEMORY_DELETE
    | Permission.DIRECTIVE_WRITE
    | Permission.SESSION_CREATE
    | Permission.SESSION_TERMINATE
    | Permission.TOKEN_CREATE
)

ROLES: dict[Role, Permission] = {
    "owner": ALL,
    # Everything but the money, and with it the end of the organization.
    "admin": ALL & ~Permission.BILLING_MANAGE,
    "member": _MEMBER,
    "viewer": _VIEWER,
}
