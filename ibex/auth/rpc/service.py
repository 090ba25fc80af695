"""What the two methods answer."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from ibex.auth.permissions import Permission, PlatformRight, permission_labels
from ibex.auth.principal import Principal
from ibex.auth.rpc.call import Call
from ibex.auth.tokens.secret import token_id
from ibex.auth.v1 import auth_pb2
from ibex.auth.validation import Refused, TokenValidator
from ibex.errors import ErrorCode, IbexError

_AGENT = re.compile(r"[A-Za-z0-9-]{1,64}")


class AuthService:
    """Answers callers who may ask about every organization.

    Parameters
    ----------
    refused: told of every caller that lacks the right to ask.
    """

    def __init__(self, validator: TokenValidator, refused: Refused) -> None:
        self._validator = validator
        self._refused = refused

    async def admit(self, call: Call) -> None:
        """Let whoever holds a service token ask. Raises the errors of authentication."""
        call.subject = "caller"
        text = call.bearer_token()
        call.caller_token_id = token_id(text)
        caller = await self._validator.authenticate(text, call.peer)
        call.caller_org_id = caller.org_id
        try:
            caller.require_platform(PlatformRight.VALIDATE)
        except IbexError as error:
            self._refused(caller, error.code, call.peer)
            raise
        call.subject = "request"

    async def validate_token(
        self, call: Call, request: auth_pb2.ValidateTokenRequest
    ) -> auth_pb2.ValidateTokenResponse:
        """Raises `IbexError`, as `TokenValidator.authenticate` and VALIDATION_ERROR."""
        text, address = _asked(call, request)
        principal = await self._validator.authenticate(text, address)
        response = auth_pb2.ValidateTokenResponse(agent_id=_text(principal.bound_agent_id))
        _describe(principal, response)
        return response

    async def validate_agent(
        self, call: Call, request: auth_pb2.ValidateAgentRequest
    ) -> auth_pb2.ValidateAgentResponse:
        """Raises `IbexError`, as `TokenValidator.authenticate_agent` and VALIDATION_ERROR."""
        if request.agent and _AGENT.fullmatch(request.agent) is None:
            raise IbexError(ErrorCode.VALIDATION_ERROR, "`agent` must be an agent's id or slug.")
        text, address = _asked(call, request)
        principal = await self._validator.authenticate_agent(text, request.agent or None, address)
        response = auth_pb2.ValidateAgentResponse(
            agent_id=str(principal.agent_id), agent_slug=principal.agent_slug
        )
        _describe(principal, response)
        return response


def _asked(
    call: Call, request: auth_pb2.ValidateTokenRequest | auth_pb2.ValidateAgentRequest
) -> tuple[str, str | None]:
    """The token that is asked about, and where its holder is."""
    if not request.access_token:
        raise IbexError(ErrorCode.VALIDATION_ERROR, "`access_token` is missing.")
    address = _checked_address(request.client_address) if request.HasField("client_address") else None
    call.asked_token_id = token_id(request.access_token)
    call.subject = "access_token"
    return request.access_token, address


def _checked_address(text: str) -> str:
    """An address as it can be stored, which one with an IPv6 zone cannot."""
    try:
        address = ip_address(text)
    except ValueError:
        address = None
    if address is None or (isinstance(address, IPv6Address) and address.scope_id is not None):
        raise IbexError(
            ErrorCode.VALIDATION_ERROR, "`client_address` must be an IPv4 or IPv6 address, without a port."
        )
    return str(address)


def _describe(
    principal: Principal, response: auth_pb2.ValidateTokenResponse | auth_pb2.ValidateAgentResponse
) -> None:
    """What both answers tell of a principal."""
    response.org_id = str(principal.org_id)
    response.token_id = str(principal.token_id)
    response.permissions.extend(_labels(principal.permissions))
    response.permission_bits = int(principal.permissions)
    if principal.user_id is not None:
        response.user_id = str(principal.user_id)
    if principal.expires_at is not None:
        response.expires_at.FromDatetime(principal.expires_at)


@lru_cache(maxsize=256)
def _labels(permissions: Permission) -> tuple[str, ...]:
    """Kept, because to make them takes a third of the time of an answer and few sets are in use."""
    return tuple(permission_labels(permissions))


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
