"""What the command line says about itself."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import ibex
from ibex.cli import main


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*path, name))


ALL = list(commands(main))


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "ibex" for path, _ in ALL])
def test_every_command_and_every_option_is_explained(path: tuple[str, ...], command: click.Command) -> None:
    shown = CliRunner().invoke(main, [*path, "-h"])
    assert shown.exit_code == 0
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"ibex, version {ibex.__version__}\n"


@pytest.mark.parametrize("arguments", [["serf"], ["serve", "--prot", "1"], ["serve", "--port", "eighty"]])
def test_a_slip_of_the_pen_is_a_usage_error(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_the_folder_may_be_named_before_the_command_or_behind_it(tmp_path: Path) -> None:
    for arguments in (
        ["--data-dir", f"{tmp_path}/here", "token", "list"],
        ["token", "list", "--data-dir", f"{tmp_path}/here"],
        ["--data-dir", f"{tmp_path}/elsewhere", "token", "list", "--data-dir", f"{tmp_path}/here"],
    ):
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 1
        assert f"There is no IBEX in {tmp_path}/here yet." in done.output
