"""`ibex directive …`."""

import click

from ibex.cli.directive.promoting import (
    abort_rollout,
    promote_directive,
    revoke_directive,
    roll_back_directive,
    submit_directive,
)
from ibex.cli.directive.reading import diff_directives, list_directives, show_directive
from ibex.cli.directive.writing import create_directive

__all__ = ["directive"]


@click.group()
def directive() -> None:
    """Write, compare, promote, roll back and revoke what agents are told."""


for command in (
    create_directive,
    list_directives,
    show_directive,
    diff_directives,
    submit_directive,
    promote_directive,
    abort_rollout,
    roll_back_directive,
    revoke_directive,
):
    directive.add_command(command)
