"""Who may use the REST interface: from a request to somebody who may do what its route is for."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request

from ibex.auth.actor import Actor
from ibex.auth.names import as_uuid
from ibex.auth.permissions import (
    NO_PERMISSION,
    NO_RIGHT,
    Permission,
    PlatformRight,
    permission_labels,
    platform_labels,
)
from ibex.auth.principal import Principal
from ibex.auth.tokens.secret import token_id
from ibex.auth.validation import Refused, TokenValidator
from ibex.rest import Exchange, exchange_of

Limit = Callable[[Principal], Awaitable[Mapping[str, str]]]


class Access:
    """Makes the dependency that each route declares.

    Parameters
    ----------
    limit: counts a request of a principal and returns the headers that say where it stands; raises
        RATE_LIMITED.
    refused: told of every refusal of somebody who is known, whatever it is for.
    """

    def __init__(self, validator: TokenValidator, limit: Limit, refused: Refused) -> None:
        self._validator = validator
        self._limit = limit
        self._refused = refused

    async def recognise(self, exchange: Exchange) -> Principal:
        """Who asks. Raises the 401, 403 and 503 of authentication."""
        return await _recognise(self._validator, exchange)

    def requires(
        self,
        permissions: Permission = NO_PERMISSION,
        platform: PlatformRight = NO_RIGHT,
        *,
        own: str | None = None,
    ) -> "Requirement":
        """What a route needs. A token may use it on itself without that: `own` is the parameter in the
        path that says which token is meant."""
        return Requirement(self._validator, self._limit, self._refused, permissions, platform, own)


class Requirement:
    """A dependency: the actor behind a request, who holds everything that is needed.

    `needs` are the names of that, for the description of the interface.
    """

    def __init__(
        self,
        validator: TokenValidator,
        limit: Limit,
        refused: Refused,
        permissions: Permission,
        platform: PlatformRight,
        own: str | None,
    ) -> None:
        self._validator = validator
        self._limit = limit
        self._refused = refused
        self._permissions = permissions
        self._platform = platform
        self._own = own
        self.needs = [*permission_labels(permissions), *platform_labels(platform)]

    async def __call__(self, request: Request) -> Actor:
        """Raises the 401, 403, 429 and 503 of authentication and of limits."""
        exchange = exchange_of(request)
        principal = await _recognise(self._validator, exchange)
        exchange.on_refusal = lambda code: self._refused(principal, code, exchange.address)
        exchange.add_headers(await self._limit(principal))
        if not self._is_about_itself(request, principal):
            principal.require(self._permissions)
            principal.require_platform(self._platform)
        return Actor.of(principal, exchange.address, exchange.request_id)

    def _is_about_itself(self, request: Request, principal: Principal) -> bool:
        return self._own is not None and as_uuid(request.path_params[self._own]) == principal.token_id


async def _recognise(validator: TokenValidator, exchange: Exchange) -> Principal:
    text = exchange.headers.bearer_token()
    exchange.token_id = token_id(text)
    principal = await validator.authenticate(text, exchange.address)
    exchange.org_id = principal.org_id
    return principal
