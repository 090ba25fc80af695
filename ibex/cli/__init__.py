"""The command line: `ibex`, or `python -m ibex`."""

import logging
from pathlib import Path
from typing import Any

import click

import ibex
from ibex.cli.agent import agent
from ibex.cli.audit import audit
from ibex.cli.credential import credential
from ibex.cli.doctor import doctor
from ibex.cli.keys import keys
from ibex.cli.limit import limit
from ibex.cli.memory import memory
from ibex.cli.models import models
from ibex.cli.organization import org
from ibex.cli.serve import migrate, serve
from ibex.cli.token import token
from ibex.cli.user import user
from ibex.cli.worker import worker


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ibex.__version__, prog_name="ibex")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Settings file; ibex.toml here, if there is one."
)
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where everything is kept; .ibex by default."
)
@click.pass_context
def main(context: click.Context, /, **options: Any) -> None:
    """IBEX: one service between your agents and their LLM providers."""
    context.obj = options
    # A command says in a sentence what the pool would say on standard error; `serve` logs both.
    logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())


for command in (
    serve,
    worker,
    migrate,
    org,
    user,
    token,
    agent,
    memory,
    audit,
    credential,
    keys,
    limit,
    models,
    doctor,
):
    main.add_command(command)

__all__ = ["main"]
