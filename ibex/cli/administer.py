"""`ibex token …` and `ibex agent …`: what an administrator does on the machine itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import click

from ibex.auth import (
    ALL,
    Administration,
    Agent,
    TokenRecord,
    UnknownPermissionError,
    parse_permissions,
    permission_labels,
    verify_pepper,
)
from ibex.cli.errors import explained
from ibex.cli.options import as_json, data_dir, settings_from
from ibex.cli.table import table
from ibex.serving.preparation import check_dsn, connect_redis, existing_pepper, say
from ibex.serving.servers import Addresses, Servers
from ibex.settings import Settings
from ibex.storage import Postgres

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
    if not agent and not default_agent:
        click.echo("Calls with this token must name an agent, in X-IBEX-Agent-ID.", err=True)


@token.command("list")
@organization
@as_json
@data_dir
@click.pass_context
def list_tokens(context: click.Context, /, org: str, as_json: bool, **options: object) -> None:
    """List tokens, without their secrets."""
    records = _administer(context, org, lambda a, org_id: a.list_tokens(org_id), **options)
    if as_json:
        click.echo(json.dumps([_token_fields(record) for record in records], indent=2))
        return
    rows = [
        (
            str(record.id),
            record.name,
            _state(record),
            record.agent_slug or _any_agent(record),
            _time(record.expires_at) or "never",
            "all" if record.permissions == ALL else ", ".join(permission_labels(record.permissions)),
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
@click.option("--description", default="", help="What the agent is for.")
@organization
@as_json
@data_dir
@click.pass_context
def create_agent(
    context: click.Context,
    /,
    name: str,
    slug: str | None,
    description: str,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Create an agent, and print its id and slug."""
    created = _administer(
        context, org, lambda a, org_id: a.create_agent(org_id, name, slug, description), **options
    )
    click.echo(json.dumps(_agent_fields(created), indent=2) if as_json else f"{created.id}  {created.slug}")


@agent.command("list")
@organization
@as_json
@data_dir
@click.pass_context
def list_agents(context: click.Context, /, org: str, as_json: bool, **options: object) -> None:
    """List agents."""
    agents = _administer(context, org, lambda a, org_id: a.list_agents(org_id), **options)
    if as_json:
        click.echo(json.dumps([_agent_fields(agent) for agent in agents], indent=2))
        return
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
    if not servers.have_data():
        raise click.ClickException(
            f"There is no IBEX in {settings.data_dir} yet. Start one with `ibex serve`, "
            "or name its data directory with --data-dir or IBEX_DATA_DIR."
        )
    with explained():
        try:
            addresses = servers.reachable() or _started(settings, servers)
            return asyncio.run(_on_database(settings, addresses, org, work))
        finally:
            servers.stop()


def _started(settings: Settings, servers: Servers) -> Addresses:
    """Those of bundled servers, unless processes may serve from this database that would not be told."""
    if settings.postgres_dsn is not None and settings.redis_url is None:
        raise click.ClickException(
            "IBEX_POSTGRES_DSN is given and IBEX_REDIS_URL is not, so no running process could be told of a "
            "change. Give the address that the service has."
        )
    return servers.start()


async def _on_database(settings: Settings, addresses: Addresses, org: str, work: Work[Result]) -> Result:
    check_dsn(addresses.postgres_dsn)
    pepper = existing_pepper(settings)
    postgres = Postgres(addresses.postgres_dsn, connections=1)
    changes = connect_redis(addresses.redis_url)
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


def _any_agent(record: TokenRecord) -> str:
    return f"any (default: {record.default_agent_slug})" if record.default_agent_slug else "any"


def _token_fields(record: TokenRecord) -> dict[str, object]:
    return {
        "id": str(record.id),
        "name": record.name,
        "state": _state(record),
        "agent": record.agent_slug,
        "default_agent": record.default_agent_slug,
        "permissions": permission_labels(record.permissions),
        "created_at": _time(record.created_at),
        "expires_at": _time(record.expires_at),
        "revoked_at": _time(record.revoked_at),
    }


def _agent_fields(agent: Agent) -> dict[str, object]:
    return {
        "id": str(agent.id),
        "slug": agent.slug,
        "name": agent.name,
        "description": agent.description,
        "state": agent.status,
        "created_at": _time(agent.created_at),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


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
