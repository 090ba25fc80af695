"""Options that several commands share, and how a command comes by its settings."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from ibex.settings import Settings, SettingsError, load

Function = TypeVar("Function", bound=Callable[..., Any])


def settings_from(context: click.Context, **overrides: Any) -> Settings:
    """The settings of this call: options, then environment, then file. A wrong one ends the command."""
    file, given = named(context, **overrides)
    try:
        settings = load(file=file, overrides=given)
        return settings.model_copy(update={"data_dir": settings.data_dir.expanduser().absolute()})
    except (SettingsError, RuntimeError) as error:
        # RuntimeError: a `~` without a home directory.
        raise click.ClickException(str(error)) from None


def named(context: click.Context, **overrides: Any) -> tuple[Path | None, dict[str, Any]]:
    """The settings file and the settings that the command line names, before or after the command's name."""
    given = {**context.find_root().obj, **{k: v for k, v in overrides.items() if v is not None}}
    file: Path | None = given.pop("config", None)
    return file, given


def data_dir(function: Function) -> Function:
    """`--data-dir` after the command's name as well as before it."""
    return click.option(
        "--data-dir", type=click.Path(path_type=Path), help="Where everything is kept; .ibex by default."
    )(function)


def as_json(function: Function) -> Function:
    """`--json`, for programs that read what a command prints."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def moment(context: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    """The time that an option gives; UTC if it names no zone."""
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"`{text}` is not a time: write 2030-01-31 or 2030-01-31T12:00:00Z."
        ) from None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
