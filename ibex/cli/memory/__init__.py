"""`ibex memory …`."""

import click

from ibex.cli.memory.erasing import delete_memory
from ibex.cli.memory.finding import list_memories, search_memories
from ibex.cli.memory.reembedding import reembed_memories
from ibex.cli.memory.transfer import export_memories, import_memories
from ibex.cli.memory.writing import add_memory

__all__ = ["memory"]


@click.group()
def memory() -> None:
    """Add, find, export, import and delete memories."""


for command in (
    add_memory,
    search_memories,
    list_memories,
    delete_memory,
    export_memories,
    import_memories,
    reembed_memories,
):
    memory.add_command(command)
