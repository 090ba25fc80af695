"""Whose key a call is made with at each provider it may go to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ibex.auth import AgentPrincipal, OrganizationKeys, ProviderKey
from ibex.errors import ErrorCode, IbexError
from ibex.proxy.providers.calling import Target

_NO_KEYS: Mapping[str, ProviderKey] = {}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call may go, in order, and by provider the keys that take the place of the installation's."""

    targets: tuple[Target, ...]
    keys: Mapping[str, ProviderKey] = field(default_factory=dict)


class KeyChoice:
    """The caller's key before the organization's, the organization's before the installation's."""

    def __init__(self, organization_keys: OrganizationKeys) -> None:
        self._organization_keys = organization_keys

    async def of(self, principal: AgentPrincipal, brought: str | None, targets: tuple[Target, ...]) -> Route:
        """Raises CREDENTIALS_UNAVAILABLE when a key is not to be had that must be used.

        `brought` is the caller's, for the provider of the first target; it is shown to no other one, so the
        call goes to no other one.
        """
        if brought is not None:
            name = targets[0].upstream.name
            kept = tuple(target for target in targets if target.upstream.name == name)
            return Route(kept, {name: ProviderKey(brought, "caller")})
        if not any(target.upstream.takes_keys for target in targets):
            return Route(targets, _NO_KEYS)
        known = await self._organization_keys.of(principal.org_id)
        if not known:
            return Route(targets, _NO_KEYS)
        sealed = {name for name, key in known.items() if key is None}
        kept = tuple(t for t in targets if t.upstream.name not in sealed or not t.upstream.takes_keys)
        if not kept:
            raise IbexError(
                ErrorCode.CREDENTIALS_UNAVAILABLE,
                f"The key that your organization has for the provider `{targets[0].upstream.name}` "
                "cannot be opened. Tell whoever operates this installation, or set it again.",
                # Nothing that a client repeats within seconds mends it.
                headers={"x-should-retry": "false"},
            )
        return Route(kept, {name: key for name, key in known.items() if key is not None})
