"""`ibex token …`."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import click

from ibex.auth import (
    ALL,
    NO_PERMISSION,
    Actor,
    Administration,
    Grant,
    Permission,
    PlatformRight,
    TokenRecord,
    TokenRequest,
    parse_grant,
    token_id,
)
from ibex.cli.administer import administer, every, organization, time_text
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table
from ibex.http import parse_networks

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def token_reference(text: str) -> UUID:
    """A token by its id, or by itself: the id is in its text. What is neither may be a secret, so it is not
    repeated."""
    text = text.strip()
    try:
        return UUID(text)
    except ValueError:
        found = token_id(text)
    if found is None:
        raise click.BadParameter("Give the token's id, as `ibex token list` shows it, or the whole token.")
    return found


@click.group()
def token() -> None:
    """Create, list, rotate and revoke tokens."""


@token.command("create")
@click.argument("name")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    default=("chat",),
    show_default=True,
    help="Such as memory:read; `chat` and `all` are sets. Repeat for several.",
)
@click.option("--agent", help="Bind the token to this agent (slug).")
@click.option("--default-agent", help="Agent for calls that name none (slug).")
@click.option("--user", help="The user whose token it is (e-mail address).")
@click.option(
    "--network",
    "networks",
    multiple=True,
    help="From where alone it may be used, such as 10.0.0.0/8. Repeat for several.",
)
@click.option("--expires-in", help="Such as 12h, 30d or 8w; never by default.")
@organization
@data_dir
@click.pass_context
def create_token(
    context: click.Context,
    /,
    name: str,
    permissions: tuple[str, ...],
    agent: str | None,
    default_agent: str | None,
    user: str | None,
    networks: tuple[str, ...],
    expires_in: str | None,
    org: str,
    **options: object,
) -> None:
    """Create a token. It is shown once, on standard output, and cannot be had again."""
    if agent and default_agent:
        raise click.UsageError("A token is bound to an agent or has a default one, not both.")
    try:
        grant, allowed = parse_grant(permissions), parse_networks(networks)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    expires_at = datetime.now(UTC) + _span(expires_in) if expires_in is not None else None

    async def work(administration: Administration, actor: Actor) -> str:
        request = TokenRequest(
            name,
            grant,
            agent_id=await _agent_id(administration, actor, agent),
            default_agent_id=await _agent_id(administration, actor, default_agent),
            user_id=await _user_id(administration, actor, user),
            networks=allowed,
            expires_at=expires_at,
        )
        return (await administration.tokens.create(actor, request)).text

    click.echo(administer(context, org, work, **options))
    calls = Permission.SESSION_CREATE in grant.permissions
    if calls and not agent and not default_agent:
        click.echo("Calls with this token must name an agent, in X-IBEX-Agent-ID.", err=True)


@token.command("list")
@organization
@as_json
@data_dir
@click.pass_context
def list_tokens(context: click.Context, /, org: str, as_json: bool, **options: object) -> None:
    """List tokens, without their secrets."""
    records = administer(
        context, org, lambda a, actor: every(partial(a.tokens.page, actor.org_id)), **options
    )
    if as_json:
        click.echo(json.dumps([_token_fields(record) for record in records], indent=2))
        return
    rows = [
        (
            str(record.id),
            record.name,
            record.state(datetime.now(UTC)),
            record.agent_slug or _any_agent(record),
            time_text(record.expires_at) or "never",
            ", ".join(_permissions(record)),
        )
        for record in records
    ]
    click.echo(table(("ID", "NAME", "STATE", "AGENT", "EXPIRES", "PERMISSIONS"), rows))


@token.command("rotate")
@click.argument("token_id", type=token_reference)
@click.option("--overlap", default="0m", show_default=True, help="For how long the old one goes on.")
@click.option("--expires-in", help="Such as 12h, 30d or 8w; when the old one does by default.")
@organization
@data_dir
@click.pass_context
def rotate_token(
    context: click.Context,
    /,
    token_id: UUID,
    overlap: str,
    expires_in: str | None,
    org: str,
    **options: object,
) -> None:
    """Create a token that can do the same as another, which ends. It is shown once.

    The other one is named by its id, or by itself.
    """
    goes_on = _span(overlap)
    expires_at = datetime.now(UTC) + _span(expires_in) if expires_in is not None else None

    async def work(administration: Administration, actor: Actor) -> str:
        return (await administration.tokens.rotate(actor, token_id, goes_on, expires_at)).text

    click.echo(administer(context, org, work, **options))


@token.command("revoke")
@click.argument("token_id", type=token_reference)
@organization
@data_dir
@click.pass_context
def revoke_token(context: click.Context, /, token_id: UUID, org: str, **options: object) -> None:
    """Revoke a token, named by its id or by itself. Every process refuses it within a second."""
    administer(context, org, lambda a, actor: a.tokens.revoke(actor, token_id), **options)
    click.echo(f"Revoked {token_id}.")


async def _agent_id(administration: Administration, actor: Actor, slug: str | None) -> UUID | None:
    return (await administration.agents.find_by_slug(actor.org_id, slug)).id if slug else None


async def _user_id(administration: Administration, actor: Actor, email: str | None) -> UUID | None:
    return (await administration.users.find_by_email(actor.org_id, email)).id if email else None


def _permissions(record: TokenRecord) -> list[str]:
    platform = PlatformRight(record.platform)
    if record.permissions == ALL:
        return ["all", *Grant(NO_PERMISSION, platform).labels()]
    return Grant(Permission(record.permissions), platform).labels()


def _any_agent(record: TokenRecord) -> str:
    return f"any (default: {record.default_agent_slug})" if record.default_agent_slug else "any"


def _token_fields(record: TokenRecord) -> dict[str, object]:
    return {
        "id": str(record.id),
        "name": record.name,
        "state": record.state(datetime.now(UTC)),
        "agent": record.agent_slug,
        "agent_id": _text(record.agent_id),
        "default_agent": record.default_agent_slug,
        "default_agent_id": _text(record.default_agent_id),
        "user_id": _text(record.user_id),
        "permissions": Grant(Permission(record.permissions), PlatformRight(record.platform)).labels(),
        "allowed_networks": record.allowed_networks,
        "created_by": _text(record.created_by),
        "created_at": time_text(record.created_at),
        "expires_at": time_text(record.expires_at),
        "revoked_at": time_text(record.revoked_at),
        "replaced_by": _text(record.replaced_by),
    }


def _text(any_id: UUID | None) -> str | None:
    return str(any_id) if any_id is not None else None


def _span(text: str) -> timedelta:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal() or len(number) > 6:
        raise click.UsageError(f"`{text}` is not a time span: write 30m, 12h, 30d or 8w.")
    return timedelta(**{_UNITS[unit]: int(number)})
