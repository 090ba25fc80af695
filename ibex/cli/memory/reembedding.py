"""`ibex memory reembed`."""

from collections.abc import Sequence
from functools import partial

import click

from ibex.auth import Actor, Administration
from ibex.cli.administer import every
from ibex.cli.memory import options as common
from ibex.cli.memory.tally import Tally
from ibex.cli.memory.working import actor_in, on_all_memories
from ibex.cli.options import data_dir
from ibex.cli.progress import say
from ibex.memory import MemoryParts
from ibex.memory.embedding import EmbedderUnavailableError
from ibex.memory.indexing import index_vectors
from ibex.memory.lifecycle.reembedding import Reembedding
from ibex.serving.servers import Addresses


@common.examples(
    "IBEX_EMBEDDER_MODEL=bge-m3 IBEX_EMBEDDER_DIMENSIONS=1024 ibex memory reembed",
    "ibex memory reembed --drop-old",
)
@click.command("reembed")
@click.option("--org", help="Only this organization, by slug; all by default.")
@click.option(
    "--drop-old", is_flag=True, help="Then delete the vectors of all other models: there is no way back."
)
@data_dir
@click.pass_context
def reembed_memories(context: click.Context, /, org: str | None, drop_old: bool, **options: object) -> None:
    """Give every memory a vector of the embedding model that is configured, beside those that serve.

    IBEX may run meanwhile, with another model. Safe to repeat and to interrupt: it goes on where it was.
    """

    async def work(parts: MemoryParts, administration: Administration, addresses: Addresses) -> str:
        reembedding = parts.reembedding
        if reembedding is None:
            raise click.ClickException("No embedding model is configured; `ibex doctor` says why.")
        index_vectors(reembedding.model, addresses.migration_dsn, say)
        actors = await _actors(administration, org)
        await _reembed(reembedding, actors)
        if drop_old:
            await _drop_others(reembedding, actors)
        return f"Every memory has a vector of {reembedding.model.name}."

    click.echo(on_all_memories(context, work, **options))


async def _actors(administration: Administration, org: str | None) -> Sequence[Actor]:
    if org is not None:
        return [await actor_in(administration, org)]
    return [Actor.local(each.id, "cli") for each in await every(administration.organizations.page)]


async def _reembed(reembedding: Reembedding, actors: Sequence[Actor]) -> None:
    tally = Tally("Embedded", "memories", sum([await reembedding.remaining(each.org_id) for each in actors]))
    done = 0
    try:
        for actor in actors:
            done += await reembedding.run(actor.org_id, partial(_reached, tally, done))
    except EmbedderUnavailableError as error:
        raise click.ClickException(f"{error} What was embedded is kept; try again.") from None
    tally.end(done)


def _reached(tally: Tally, before: int, here: int) -> None:
    tally.reached(before + here)


async def _drop_others(reembedding: Reembedding, actors: Sequence[Actor]) -> None:
    tally, dropped = Tally("Deleted", "old vectors"), 0
    for actor in actors:
        dropped += await reembedding.drop_others(actor.org_id)
        tally.reached(dropped)
    tally.end(dropped)
