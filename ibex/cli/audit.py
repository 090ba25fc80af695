"""`ibex audit …`."""

from datetime import datetime
from typing import BinaryIO

import click

from ibex.auth import Actor, Administration
from ibex.auth.audit import (
    Head,
    MalformedHeadError,
    MalformedLineError,
    Selection,
    Verdict,
    verify_lines,
)
from ibex.cli.administer import administer, administer_all, organization
from ibex.cli.options import data_dir, moment
from ibex.settings import Settings


def _head(context: click.Context, option: click.Parameter, text: str | None) -> Head | None:
    try:
        return None if text is None else Head.parse(text)
    except MalformedHeadError as error:
        raise click.BadParameter(str(error)) from None


def _text(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not text.isprintable():
        raise click.BadParameter("It has a character that cannot be printed.")
    return text


@click.group()
def audit() -> None:
    """Verify and export the audit."""


@audit.command("verify")
@organization
@click.option("--all", "is_for_all", is_flag=True, help="Every organization.")
@click.option("--head", callback=_head, help="A head noted earlier, which must be part of the chain.")
@click.option(
    "--file", type=click.File("rb"), help="An export, instead of the database; `-` is standard input."
)
@click.option("--partial", is_flag=True, help="With --file: some events are left out of it.")
@data_dir
@click.pass_context
def verify(
    context: click.Context,
    /,
    org: str,
    is_for_all: bool,
    head: Head | None,
    file: BinaryIO | None,
    partial: bool,
    **options: object,
) -> None:
    """Compute every hash anew. The exit status is 1 when an event was altered, moved or removed."""
    if is_for_all and (head is not None or file is not None):
        raise click.UsageError("--head and --file are about one organization, not about all.")
    if partial and file is None:
        raise click.UsageError("--partial is for --file.")
    if file is not None:
        is_intact = _verify_file(file, head, partial)
    elif is_for_all:
        is_intact = administer_all(context, _verify_all, **options)
    else:

        async def work(administration: Administration, actor: Actor) -> bool:
            return _tell(org, await administration.audit.verify(actor.org_id, head))

        is_intact = administer(context, org, work, **options)
    if not is_intact:
        context.exit(1)


@audit.command("export")
@organization
@click.option("--action", callback=_text, help="How the action begins: `token.` or `agent.pause`.")
@click.option("--actor", callback=_text, help="`cli`, `system` or `token:<id>`.")
@click.option("--outcome", type=click.Choice(["success", "refused", "degraded"]), help="How it went.")
@click.option("--target", callback=_text, help="What it was done to; mostly an id.")
@click.option("--since", callback=moment, help="The first moment that counts; UTC if no zone is given.")
@click.option("--until", callback=moment, help="The first moment that no longer counts.")
@click.option("--after", type=click.IntRange(0, 2**63 - 1), default=0, help="Only events above this number.")
@data_dir
@click.pass_context
def export(
    context: click.Context,
    /,
    org: str,
    action: str | None,
    actor: str | None,
    outcome: str | None,
    target: str | None,
    since: datetime | None,
    until: datetime | None,
    after: int,
    **options: object,
) -> None:
    """Print events as lines of JSON, the oldest first. That it was done is the last of them."""
    selection = Selection(action, actor, outcome, target, since, until)

    async def work(administration: Administration, actor: Actor) -> None:
        exported = await administration.audit.export(actor, selection, after)
        async for batch in exported.batches:
            click.echo(batch, nl=False)

    administer(context, org, work, **options)


async def _verify_all(administration: Administration, settings: Settings) -> bool:
    verdicts = [
        _tell(one.slug, await administration.audit.verify(one.id))
        async for one in administration.organizations.every()
    ]
    return all(verdicts)


def _verify_file(file: BinaryIO, head: Head | None, is_partial: bool) -> bool:
    try:
        verdict = verify_lines(file, head, is_partial=is_partial)
    except MalformedLineError as error:
        raise click.ClickException(str(error)) from None
    return _tell(verdict.org_id, verdict)


def _tell(name: str, verdict: Verdict) -> bool:
    """Print what was found in one chain; whether it is intact."""
    if verdict.damage is None:
        click.echo(f"{name}: intact, {verdict.count} events, head {verdict.head}")
        return True
    click.echo(f"{name}: DAMAGED at number {verdict.damage.number}: {verdict.damage.reason}.")
    return False
