"""Memories in the terminal, for people and for programs."""

import json
from collections.abc import Sequence

import click

from ibex.cli.table import table
from ibex.memory import Memory
from ibex.memory.views import MemoryView

# Characters of a text in a table.
_SHOWN = 60


def show(memories: Sequence[Memory], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([fields(each) for each in memories], indent=2, ensure_ascii=False))
        return
    if memories:
        rows = [(str(each.id), each.user_id or "-", each.kind, _short(each.content)) for each in memories]
        click.echo(table(("ID", "USER", "KIND", "CONTENT"), rows))


def fields(memory: Memory) -> object:
    """What the REST interface shows."""
    return MemoryView.of(memory).model_dump(mode="json")


def _short(text: str) -> str:
    """One line of it. What would move the cursor or hide the text in a terminal is left out."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
