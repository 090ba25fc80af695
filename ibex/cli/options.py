"""Options that several commands share, and how a command comes by its settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ibex.settings import Settings, SettingsError, load

Function = TypeVar("Function", bound=Callable[..., Any])


def settings_from(context: click.Context, **overrides: Any) -> Settings:
    """The settings of this call: options, then environment, then file. A wrong one ends the command."""
    given = {**context.find_root().obj, **{k: v for k, v in overrides.items() if v is not None}}
    file: Path | None = given.pop("config", None)
    try:
        return load(file=file, overrides=given)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def data_dir(function: Function) -> Function:
    """`--data-dir` after the command's name as well as before it."""
    return click.option(
        "--data-dir", type=click.Path(path_type=Path), help="Where everything is kept; .ibex by default."
    )(function)
