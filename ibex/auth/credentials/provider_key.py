"""A key for a provider that is not the installation's own."""

from dataclasses import dataclass, field
from typing import Literal

KeyOwner = Literal["installation", "organization", "caller"]


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """Used at one provider in place of the key that the installation has for it."""

    text: str = field(repr=False)
    owner: KeyOwner
