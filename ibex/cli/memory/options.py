"""Options that several of the commands share."""

from collections.abc import Callable

import click

agent = click.option(
    "--agent", default="default", show_default=True, help="Whose memories, by the agent's id or slug."
)
user = click.option("--user", help="The end user that they are about; nobody by default.")
one_user = click.option("--user", help="Only those about this end user.")


def examples(*lines: str) -> Callable[[click.Command], click.Command]:
    """Command lines to show under `--help`, as they are typed."""

    def shown(command: click.Command) -> click.Command:
        command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
        return command

    return shown
