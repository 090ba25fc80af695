"""A group whose commands are loaded when they are asked for."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """What one command needs costs the others no time; half of what IBEX loads is for `serve` alone.

    Parameters
    ----------
    places: by the name of a command, the module that has it under that name, with `_` for each hyphen.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Interrupted while it loads, it leaves without a traceback."""
        if cmd_name not in self._places:
            return None
        try:
            command: click.Command = getattr(
                import_module(self._places[cmd_name]), cmd_name.replace("-", "_")
            )
        except KeyboardInterrupt:
            sys.exit(130)
        return command
