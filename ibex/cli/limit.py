"""`ibex limit …`."""

import json
from functools import partial

import click

from ibex.auth import EVERYONE, Actor, Administration, Allowance, LimitScope, Override
from ibex.auth.limits.month import nano_usd, usd
from ibex.cli.administer import administer, every, organization, time_text
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table

_MANY = click.IntRange(0, 1_000_000_000_000)
_SCOPE = click.Choice(["token", "agent", "end_user", "organization"])
_HEADINGS = ("REQUESTS/MIN", "TOKENS/MIN", "CONCURRENT", "REQUESTS/MONTH", "TOKENS/MONTH", "USD/MONTH")
_NAMES = (
    "requests per minute",
    "tokens per minute",
    "concurrent requests",
    "requests per month",
    "tokens per month",
    "US dollars per month",
)


@click.group()
def limit() -> None:
    """Set, list and remove limits other than the configured ones."""


@limit.command("set")
@click.argument("scope", type=_SCOPE)
@click.argument("subject", default=EVERYONE)
@click.option("--requests", type=click.IntRange(0, 1_000_000_000), help="Requests per minute.")
@click.option("--tokens", type=_MANY, help="Tokens per minute.")
@click.option("--concurrent", type=click.IntRange(0, 1_000_000), help="Requests at a time.")
@click.option("--month-requests", type=_MANY, help="Calls in a calendar month (UTC).")
@click.option("--month-tokens", type=_MANY, help="Tokens in a calendar month.")
@click.option("--month-usd", type=click.FloatRange(0, 1_000_000_000), help="US dollars in a calendar month.")
@organization
@data_dir
@click.pass_context
def set_limit(
    context: click.Context,
    /,
    scope: LimitScope,
    subject: str,
    requests: int | None,
    tokens: int | None,
    concurrent: int | None,
    month_requests: int | None,
    month_tokens: int | None,
    month_usd: float | None,
    org: str,
    **options: object,
) -> None:
    """Set the limits of a token, agent, end user or organization.

    SUBJECT is a token's id, an agent's id or slug, or an end user's name. Without one the limits are those of
    the organization, or of all in the scope that have none of their own. What is not given is as configured.
    Those of a month are for agents and organizations.
    """

    async def work(administration: Administration, actor: Actor) -> Override:
        named = await _subject(administration, actor, scope, subject)
        allowance = Allowance(requests, tokens, concurrent, month_requests, month_tokens, nano_usd(month_usd))
        return await administration.limits.put(actor, scope, named, allowance)

    stored = administer(context, org, work, **options)
    click.echo(f"{stored.scope} {stored.subject}: {_in_words(stored)}.")


@limit.command("list")
@organization
@as_json
@data_dir
@click.pass_context
def list_limits(context: click.Context, /, org: str, as_json: bool, **options: object) -> None:
    """List the limits that were set."""

    async def work(administration: Administration, actor: Actor) -> list[Override]:
        return await every(partial(administration.limits.page, actor.org_id))

    found = administer(context, org, work, **options)
    if as_json:
        click.echo(json.dumps([_fields(each) for each in found], indent=2))
        return
    rows = [(each.scope, each.subject, *map(_cell, _numbers(each))) for each in found]
    click.echo(table(("SCOPE", "SUBJECT", *_HEADINGS), rows))


@limit.command("remove")
@click.argument("scope", type=_SCOPE)
@click.argument("subject", default=EVERYONE)
@organization
@data_dir
@click.pass_context
def remove_limit(
    context: click.Context, /, scope: LimitScope, subject: str, org: str, **options: object
) -> None:
    """Let the configured limits hold again for a subject."""

    async def work(administration: Administration, actor: Actor) -> None:
        named = await _subject(administration, actor, scope, subject)
        await administration.limits.remove_of(actor, scope, named)

    administer(context, org, work, **options)
    click.echo(f"Removed the limits of {scope} {subject}.")


async def _subject(administration: Administration, actor: Actor, scope: LimitScope, subject: str) -> str:
    """An agent may be named by its slug; the organization needs no name."""
    if scope == "organization":
        return str(actor.org_id)
    if scope == "agent" and subject != EVERYONE and len(subject) != 36:
        return str((await administration.agents.find_by_slug(actor.org_id, subject)).id)
    return subject


def _numbers(each: Override) -> tuple[float | None, ...]:
    return (
        each.requests_per_minute,
        each.tokens_per_minute,
        each.concurrent_requests,
        each.requests_per_month,
        each.tokens_per_month,
        usd(each.nano_usd_per_month),
    )


def _cell(number: float | None) -> str:
    return "" if number is None else str(number)


def _in_words(each: Override) -> str:
    return ", ".join(
        f"{number} {name}" for number, name in zip(_numbers(each), _NAMES, strict=True) if number is not None
    )


def _fields(each: Override) -> dict[str, object]:
    return {
        "id": str(each.id),
        "scope": each.scope,
        "subject": each.subject,
        "requests_per_minute": each.requests_per_minute,
        "tokens_per_minute": each.tokens_per_minute,
        "concurrent_requests": each.concurrent_requests,
        "requests_per_month": each.requests_per_month,
        "tokens_per_month": each.tokens_per_month,
        "usd_per_month": usd(each.nano_usd_per_month),
        "updated_at": time_text(each.updated_at),
    }
