"""`ibex token …` and `ibex agent …`: what an administrator does on the machine itself."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import click

from ibex.auth import (
    Administration,
    PepperError,
    TokenRecord,
    UnknownPermissionError,
    load_pepper,
    parse_permissions,
    permission_labels,
    verify_pepper,
)
from ibex.cli.options import data_dir, settings_from
from ibex.cli.table import table
from ibex.embedded import EmbeddedError
from ibex.errors import IbexError
from ibex.serving.preparation import Servers, say
from ibex.storage import DatabaseUnavailableError, Postgres, connect_single

Result = TypeVar("Result")
Work = Callable[[Administration, UUID], Awaitable[Result]]

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def organization(function: Callable[..., None]) -> Callable[..., None]:
    return click.option("--org", default="default", show_default=True, help="Organization, by slug.")(
        function
    )


@click.group()
def token() -> None:
    """Create, list and revoke tokens."""


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
    expires_in: str | None,
    org: str,
    **options: object,
) -> None:
    """Create a token. It is shown once, on standard output, and cannot be had again."""
    if agent and default_agent:
        raise click.UsageError("A token is bound to an agent or has a default one, not both.")
    try:
        granted = parse_permissions(permissions)
    except UnknownPermissionError as error:
        raise click.UsageError(str(error)) from None
    expires_at = _expiry(expires_in)

    async def work(administration: Administration, org_id: UUID) -> str:
        return str(
            await administration.create_token(
                org_id, name, granted, agent=agent, default_agent=default_agent, expires_at=expires_at
            )
        )

    click.echo(_administer(context, org, work, **options))


@token.command("list")
@organization
@data_dir
@click.pass_context
def list_tokens(context: click.Context, /, org: str, **options: object) -> None:
    """List tokens, without their secrets."""
    records = _administer(context, org, lambda a, org_id: a.list_tokens(org_id), **options)
    rows = [
        (
            str(record.id),
            record.name,
            _state(record),
            record.agent_slug or "any",
            record.expires_at.isoformat(timespec="seconds") if record.expires_at else "never",
            ", ".join(permission_labels(record.permissions)),
        )
        for record in records
    ]
    click.echo(table(("ID", "NAME", "STATE", "AGENT", "EXPIRES", "PERMISSIONS"), rows))


@token.command("revoke")
@click.argument("token_id", type=click.UUID)
@organization
@data_dir
@click.pass_context
def revoke_token(context: click.Context, /, token_id: UUID, org: str, **options: object) -> None:
    """Revoke a token, by its id. Every process refuses it within a second."""
    _administer(context, org, lambda a, org_id: a.revoke_token(org_id, token_id), **options)
    click.echo(f"Revoked {token_id}.")


@click.group()
def agent() -> None:
    """Create, list, pause and resume agents."""


@agent.command("create")
@click.argument("name")
@click.option("--slug", help="Short name for headers and commands; made from the name by default.")
@click.option("--description", default="")
@organization
@data_dir
@click.pass_context
def create_agent(
    context: click.Context, /, name: str, slug: str | None, description: str, org: str, **options: object
) -> None:
    """Create an agent."""
    created = _administer(
        context, org, lambda a, org_id: a.create_agent(org_id, name, slug, description), **options
    )
    click.echo(f"{created.id}  {created.slug}")


@agent.command("list")
@organization
@data_dir
@click.pass_context
def list_agents(context: click.Context, /, org: str, **options: object) -> None:
    """List agents."""
    agents = _administer(context, org, lambda a, org_id: a.list_agents(org_id), **options)
    rows = [(str(a.id), a.slug, a.name, a.status) for a in agents]
    click.echo(table(("ID", "SLUG", "NAME", "STATE"), rows))


@agent.command("pause")
@click.argument("slug")
@organization
@data_dir
@click.pass_context
def pause_agent(context: click.Context, /, slug: str, org: str, **options: object) -> None:
    """Refuse an agent's calls until it is resumed."""
    _administer(context, org, lambda a, org_id: a.pause_agent(org_id, slug), **options)
    click.echo(f"Paused {slug}.")


@agent.command("resume")
@click.argument("slug")
@organization
@data_dir
@click.pass_context
def resume_agent(context: click.Context, /, slug: str, org: str, **options: object) -> None:
    """Let a paused agent call again."""
    _administer(context, org, lambda a, org_id: a.resume_agent(org_id, slug), **options)
    click.echo(f"Resumed {slug}.")


def _administer(context: click.Context, /, org: str, work: Work[Result], **options: object) -> Result:
    """Do `work` on the database of this installation, starting the bundled servers if nothing runs."""
    settings = settings_from(context, **options)
    servers = Servers(settings, say)

    async def run() -> Result:
        addresses = servers.running() or servers.start()
        pepper = load_pepper(
            settings.data_dir, settings.token_pepper.get_secret_value() if settings.token_pepper else None
        )
        postgres = Postgres(addresses.postgres_dsn, connections=1)
        changes = connect_single(addresses.redis_url, timeout=2.0)
        await postgres.open()
        try:
            await verify_pepper(postgres, pepper)
            administration = Administration(postgres, changes, pepper, actor="cli")
            found = await administration.find_organization(org)
            if found is None:
                raise click.ClickException(f"There is no organization `{org}`. Has `ibex serve` run here?")
            return await work(administration, found.id)
        finally:
            await changes.aclose()
            await postgres.close()

    try:
        return asyncio.run(run())
    except IbexError as error:
        raise click.ClickException(error.message) from None
    except (EmbeddedError, PepperError, DatabaseUnavailableError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        servers.stop()


def _state(record: TokenRecord) -> str:
    if record.revoked_at is not None:
        return "revoked"
    is_expired = record.expires_at is not None and record.expires_at <= datetime.now(UTC)
    return "expired" if is_expired else "active"


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal() or not 0 < int(number) <= 100_000:
        raise click.UsageError(f"`{text}` is not a time span: write 30m, 12h, 30d or 8w.")
    return datetime.now(UTC) + timedelta(**{_UNITS[unit]: int(number)})
