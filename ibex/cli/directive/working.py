"""How a command works on the directives of an agent."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import click

from ibex.auth import Actor, Administration
from ibex.cli.administer import administer
from ibex.context.directives import Directive, DirectiveEntry, DirectiveService
from ibex.context.directives.views import DirectiveView, EntryView

Result = TypeVar("Result")
Work = Callable[[DirectiveService, Actor, UUID], Awaitable[Result]]

agent = click.option(
    "--agent", default="default", show_default=True, help="Whose directive, by the agent's id or slug."
)
NUMBER = click.IntRange(1, 2**31 - 1)


def on_directives(
    context: click.Context, /, org: str, agent: str, work: Work[Result], **options: object
) -> Result:
    """Do `work` on the directives of an agent of this installation."""

    async def within(administration: Administration, actor: Actor) -> Result:
        found = await administration.agents.resolve(actor.org_id, agent)
        return await work(DirectiveService(administration.postgres, administration.changes), actor, found.id)

    return administer(context, org, within, **options)


def told(entry: DirectiveEntry) -> str:
    """A version in a sentence: `Version 2 is active.`"""
    if entry.share is not None:
        return f"Version {entry.number} goes to {entry.share:.4g} of the sessions that begin."
    status = {"draft": "a draft", "review": "in review"}.get(entry.status, entry.status)
    return f"Version {entry.number} is {status}."


def fields(entry: DirectiveEntry) -> object:
    """What the REST interface shows of a version."""
    view = DirectiveView if isinstance(entry, Directive) else EntryView
    return view.of(entry).model_dump(mode="json")
