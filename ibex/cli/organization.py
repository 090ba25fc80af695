"""`ibex org …`."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import click

from ibex.auth import Actor, Administration, Founded, Organization
from ibex.cli.administer import administer_all, every, time_text
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table
from ibex.settings import Settings

Act = Callable[[Administration, Actor, UUID, Settings], Awaitable[Organization]]


@click.group()
def org() -> None:
    """Create, list, suspend, resume and delete organizations."""


@org.command("create")
@click.argument("name")
@click.option("--slug", help="Short name for commands; made from the name by default.")
@click.option("--owner", help="E-mail address of its first user, whose token the first one is.")
@as_json
@data_dir
@click.pass_context
def create_organization(
    context: click.Context,
    /,
    name: str,
    slug: str | None,
    owner: str | None,
    as_json: bool,
    **options: object,
) -> None:
    """Create an organization with an agent. Its id, its slug and, once, its first token are printed."""

    async def work(administration: Administration, settings: Settings) -> Founded:
        return await administration.founding.found(Actor.outside("cli"), name, slug, owner)

    founded = administer_all(context, work, **options)
    if as_json:
        click.echo(json.dumps(_founded_fields(founded), indent=2))
        return
    click.echo(f"{founded.organization.id}  {founded.organization.slug}\n{founded.token.text}")


@org.command("list")
@as_json
@data_dir
@click.pass_context
def list_organizations(context: click.Context, /, as_json: bool, **options: object) -> None:
    """List organizations."""

    async def work(administration: Administration, settings: Settings) -> list[Organization]:
        return await every(administration.organizations.page)

    organizations = administer_all(context, work, **options)
    if as_json:
        click.echo(json.dumps([_fields(organization) for organization in organizations], indent=2))
        return
    rows = [(str(o.id), o.slug, o.name, o.status, time_text(o.delete_after) or "") for o in organizations]
    click.echo(table(("ID", "SLUG", "NAME", "STATUS", "ERASED AT"), rows))


@org.command("suspend")
@click.argument("slug")
@data_dir
@click.pass_context
def suspend_organization(context: click.Context, /, slug: str, **options: object) -> None:
    """Refuse all tokens of an organization until it is resumed."""
    _act(context, slug, lambda a, actor, org_id, _: a.organizations.suspend(actor, org_id), **options)
    click.echo(f"Suspended {slug}.")


@org.command("resume")
@click.argument("slug")
@data_dir
@click.pass_context
def resume_organization(context: click.Context, /, slug: str, **options: object) -> None:
    """Let the tokens of an organization be used again. That also ends a deletion, in its grace period."""
    _act(context, slug, lambda a, actor, org_id, _: a.organizations.resume(actor, org_id), **options)
    click.echo(f"Resumed {slug}.")


@org.command("delete")
@click.argument("slug")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_dir
@click.pass_context
def delete_organization(context: click.Context, /, slug: str, yes: bool, **options: object) -> None:
    """Delete an organization. Its tokens are refused, and it is erased after `organization_grace_days`."""
    if not yes:
        click.confirm(f"Delete {slug} and everything in it?", abort=True, err=True)

    async def delete(
        administration: Administration, actor: Actor, org_id: UUID, settings: Settings
    ) -> Organization:
        grace = timedelta(days=settings.organization_grace_days)
        return await administration.organizations.delete(actor, org_id, grace)

    deleted = _act(context, slug, delete, **options)
    click.echo(f"{slug} will be erased after {time_text(deleted.delete_after)}.")


def _act(context: click.Context, /, slug: str, act: Act, **options: object) -> Organization:
    async def work(administration: Administration, settings: Settings) -> Organization:
        org_id = await administration.organizations.find_by_slug(slug)
        if org_id is None:
            raise click.ClickException(
                f"There is no organization `{slug}`. `ibex org list` shows which there are."
            )
        return await act(administration, Actor.outside("cli"), org_id, settings)

    return administer_all(context, work, **options)


def _fields(organization: Organization) -> dict[str, object]:
    return {
        "id": str(organization.id),
        "slug": organization.slug,
        "name": organization.name,
        "status": organization.status,
        "created_at": time_text(organization.created_at),
        "delete_after": time_text(organization.delete_after),
    }


def _founded_fields(founded: Founded) -> dict[str, object]:
    return {
        **_fields(founded.organization),
        "agent_id": str(founded.agent_id),
        "owner_id": str(founded.owner_id) if founded.owner_id else None,
        "token_id": str(founded.token.record.id),
        "token": founded.token.text,
    }
