"""The command line: `ibex`, or `python -m ibex`."""

import logging
from pathlib import Path
from typing import Any

import click

import ibex
from ibex.cli.lazy import LazyGroup

_PLACES = {
    "serve": "ibex.cli.serve",
    "worker": "ibex.cli.worker",
    "migrate": "ibex.cli.serve",
    "org": "ibex.cli.organization",
    "user": "ibex.cli.user",
    "token": "ibex.cli.token",
    "agent": "ibex.cli.agent",
    "directive": "ibex.cli.directive",
    "memory": "ibex.cli.memory",
    "context": "ibex.cli.context",
    "webhook": "ibex.cli.webhook",
    "trace": "ibex.cli.trace",
    "session": "ibex.cli.session",
    "audit": "ibex.cli.audit",
    "dead-letters": "ibex.cli.dead_letters",
    "drift": "ibex.cli.drift",
    "credential": "ibex.cli.credential",
    "keys": "ibex.cli.keys",
    "limit": "ibex.cli.limit",
    "models": "ibex.cli.models",
    "demo": "ibex.cli.demo",
    "doctor": "ibex.cli.doctor",
}


@click.group(cls=LazyGroup, places=_PLACES, context_settings={"help_option_names": ["-h", "--help"]})
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


__all__ = ["main"]
