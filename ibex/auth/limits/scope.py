"""Whose limits there are."""

from typing import Literal

Scope = Literal["token", "agent", "end_user", "organization"]

SCOPE_NAMES = {"token": "token", "agent": "agent", "end_user": "end user", "organization": "organization"}
