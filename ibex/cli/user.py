"""`ibex user …`."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast
from uuid import UUID

import click

from ibex.auth import ROLES, Actor, Administration, Role, User
from ibex.cli.administer import administer, every, organization, time_text
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table

Act = Callable[[Administration, Actor, UUID], Awaitable[object]]

_ROLE = click.Choice(list(ROLES))


@click.group()
def user() -> None:
    """Create, list, change, suspend, resume and remove users."""


@user.command("create")
@click.argument("email")
@click.option("--name", default="", help="What the user is called.")
@click.option("--role", type=_ROLE, default="member", show_default=True, help="What they may do.")
@organization
@as_json
@data_dir
@click.pass_context
def create_user(
    context: click.Context,
    /,
    email: str,
    name: str,
    role: str,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Create a user, and print their id. No mail is sent."""

    async def work(administration: Administration, actor: Actor) -> User:
        return await administration.users.create(actor, email, name, cast(Role, role))

    created = administer(context, org, work, **options)
    click.echo(json.dumps(_fields(created), indent=2) if as_json else f"{created.id}  {created.email}")


@user.command("list")
@organization
@as_json
@data_dir
@click.pass_context
def list_users(context: click.Context, /, org: str, as_json: bool, **options: object) -> None:
    """List users, but those who were removed."""

    async def work(administration: Administration, actor: Actor) -> list[User]:
        return await every(partial(administration.users.page, actor.org_id))

    users = administer(context, org, work, **options)
    if as_json:
        click.echo(json.dumps([_fields(user) for user in users], indent=2))
        return
    rows = [(str(u.id), u.email or "", u.name, u.role, u.status) for u in users]
    click.echo(table(("ID", "EMAIL", "NAME", "ROLE", "STATUS"), rows))


@user.command("role")
@click.argument("email")
@click.argument("role", type=_ROLE)
@organization
@data_dir
@click.pass_context
def change_role(context: click.Context, /, email: str, role: str, org: str, **options: object) -> None:
    """Give a user another role. It holds at once for all of their tokens."""
    _act(
        context,
        email,
        org,
        lambda a, actor, user_id: a.users.update(actor, user_id, role=cast(Role, role)),
        **options,
    )
    click.echo(f"The role of {email} is {role}.")


@user.command("suspend")
@click.argument("email")
@organization
@data_dir
@click.pass_context
def suspend_user(context: click.Context, /, email: str, org: str, **options: object) -> None:
    """Refuse a user's tokens until they are resumed."""
    _act(context, email, org, lambda a, actor, user_id: a.users.suspend(actor, user_id), **options)
    click.echo(f"Suspended {email}.")


@user.command("resume")
@click.argument("email")
@organization
@data_dir
@click.pass_context
def resume_user(context: click.Context, /, email: str, org: str, **options: object) -> None:
    """Let a suspended user's tokens be used again."""
    _act(context, email, org, lambda a, actor, user_id: a.users.resume(actor, user_id), **options)
    click.echo(f"Resumed {email}.")


@user.command("remove")
@click.argument("email")
@organization
@data_dir
@click.pass_context
def remove_user(context: click.Context, /, email: str, org: str, **options: object) -> None:
    """Revoke a user's tokens and forget their name and address. The id stays for the audit."""
    _act(context, email, org, lambda a, actor, user_id: a.users.remove(actor, user_id), **options)
    click.echo(f"Removed {email}.")


def _act(context: click.Context, /, email: str, org: str, act: Act, **options: object) -> None:
    async def work(administration: Administration, actor: Actor) -> None:
        found = await administration.users.find_by_email(actor.org_id, email)
        await act(administration, actor, found.id)

    administer(context, org, work, **options)


def _fields(user: User) -> dict[str, object]:
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "status": user.status,
        "created_at": time_text(user.created_at),
    }
