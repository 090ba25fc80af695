"""`ibex credential …`: keys that an organization has of its own for providers."""

import json
import sys

import click

from ibex.auth import Credential
from ibex.cli.administer import administer, organization, time_text
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table


@click.group()
def credential() -> None:
    """Set, list and remove an organization's own keys for providers."""


@credential.command("set")
@click.argument("provider")
@organization
@data_dir
@click.pass_context
def set_credential(context: click.Context, /, provider: str, org: str, **options: object) -> None:
    """Use the organization's own key at a provider. It is read from standard input, or asked for."""
    is_asked_for = sys.stdin.isatty()
    api_key = click.prompt("Key", hide_input=True, err=True) if is_asked_for else sys.stdin.read()
    stored = administer(
        context, org, lambda a, actor: a.credentials.put(actor, provider, api_key.strip()), **options
    )
    click.echo(f"{stored.provider} is called with the key {stored.hint}.")


@credential.command("list")
@organization
@as_json
@data_dir
@click.pass_context
def list_credentials(context: click.Context, /, org: str, as_json: bool, **options: object) -> None:
    """List the providers that an organization has keys for."""
    found = administer(context, org, lambda a, actor: a.credentials.all_of(actor.org_id), **options)
    if as_json:
        click.echo(json.dumps([_fields(each) for each in found], indent=2))
        return
    rows = [(each.provider, each.hint, time_text(each.updated_at) or "") for each in found]
    click.echo(table(("PROVIDER", "KEY", "SET"), rows))


@credential.command("remove")
@click.argument("provider")
@organization
@data_dir
@click.pass_context
def remove_credential(context: click.Context, /, provider: str, org: str, **options: object) -> None:
    """Forget a key. From now on the provider is called with the installation's own."""
    administer(context, org, lambda a, actor: a.credentials.remove(actor, provider), **options)
    click.echo(f"Removed the key for {provider}.")


def _fields(each: Credential) -> dict[str, str | None]:
    return {
        "provider": each.provider,
        "hint": each.hint,
        "created_at": time_text(each.created_at),
        "updated_at": time_text(each.updated_at),
    }
