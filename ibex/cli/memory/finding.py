"""`ibex memory search` and `ibex memory list`."""

from datetime import datetime
from typing import get_args

import click

from ibex.auth import Actor
from ibex.cli.administer import organization
from ibex.cli.memory import options as common
from ibex.cli.memory.showing import show
from ibex.cli.memory.working import on_memories
from ibex.cli.options import as_json, data_dir, moment
from ibex.cli.progress import say
from ibex.memory import Memory, MemoryParts, Scope, SearchQuery
from ibex.memory.memory import Status
from ibex.memory.repository.reads import Selection

_PAGE = 200

_as_of = click.option("--as-of", callback=moment, help="What was known and held at that time.")


@common.examples(
    'ibex memory search "What does she drink?" --user ada',
    'ibex memory search "Where did she live?" --user ada --as-of 2026-01-31 --json',
)
@click.command("search")
@click.argument("query")
@common.agent
@common.user
@click.option("--session", help="The conversation, for what only it may see.")
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="Most results.")
@_as_of
@organization
@as_json
@data_dir
@click.pass_context
def search_memories(
    context: click.Context,
    /,
    query: str,
    agent: str,
    user: str | None,
    session: str | None,
    limit: int,
    as_of: datetime | None,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Find the memories that answer best, the best first."""

    async def work(parts: MemoryParts, actor: Actor) -> list[Memory]:
        scope = Scope(actor.org_id, await parts.lifecycle.agent(actor, agent), user, session)
        answer = await parts.search.search(scope, SearchQuery(query, limit, as_of=as_of))
        if answer.degraded is not None:
            say(answer.degraded)
        return [found.memory for found in answer.results]

    found = on_memories(context, org, work, **options)
    if not found:
        say("Nothing was found.")
    show(found, as_json)


@common.examples(
    "ibex memory list --user ada",
    "ibex memory list --status deleted --limit 1000 --json",
)
@click.command("list")
@common.agent
@common.one_user
@click.option(
    "--status",
    type=click.Choice(get_args(Status)),
    default="active",
    show_default=True,
    help="What has become of them.",
)
@_as_of
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most memories.")
@organization
@as_json
@data_dir
@click.pass_context
def list_memories(
    context: click.Context,
    /,
    agent: str,
    user: str | None,
    status: Status,
    as_of: datetime | None,
    limit: int,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """List an agent's memories, in the order in which they were written."""

    async def work(parts: MemoryParts, actor: Actor) -> list[Memory]:
        agent_id = await parts.lifecycle.agent(actor, agent)
        selection = Selection(agent_id=agent_id, user_id=user, statuses=(status,), as_of=as_of)
        found: list[Memory] = []
        # One more than is shown tells whether there are more.
        while len(found) <= limit:
            after, wanted = found[-1].id if found else None, min(_PAGE, limit + 1 - len(found))
            more = await parts.lifecycle.reader.page(actor, selection, after, wanted)
            found += more
            if len(more) < wanted:
                break
        return found

    found = on_memories(context, org, work, **options)
    if not found:
        say("There are none.")
    show(found[:limit], as_json)
    if len(found) > limit:
        say(f"There are more than these {limit:,}; --limit says how many to show.")
