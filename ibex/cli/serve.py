"""`ibex serve` and `ibex migrate`."""

import asyncio
import os
import sys
from socket import socket as Socket  # noqa: N812

import click

from ibex.auth import CREDENTIALS
from ibex.auth.rpc import Listener
from ibex.cli.errors import explained
from ibex.cli.interruption import Interruption
from ibex.cli.options import data_dir, settings_from
from ibex.cli.progress import say
from ibex.cli.welcome import welcome
from ibex.context.tokens import Vocabulary
from ibex.memory.embedding import prepare_model
from ibex.memory.indexing import index_vectors
from ibex.memory.lazy_embedder import model_of
from ibex.serving.checks import check_settings, connections_per_process
from ibex.serving.clickhouse import prepare_clickhouse
from ibex.serving.dependencies import wait_for_postgres
from ibex.serving.job_process import serve_jobs
from ibex.serving.listening import bind, listen, reserve
from ibex.serving.preparation import prepare
from ibex.serving.servers import Servers
from ibex.serving.supervisor import Place, Role, Supervisor
from ibex.serving.web_process import serve as serve_web
from ibex.settings import Settings
from ibex.storage.migrations import migrate as migrate_database
from ibex.telemetry import Instruments
from ibex.telemetry.logs import configure

# Where there is too much to do, a web process gets ten times as much of a core: agents wait for it, and for a
# job nobody does.
_NICENESS_OF_JOBS = 10


@click.command()
@data_dir
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--workers", type=int, help="Web processes.")
@click.option("--jobs", type=int, help="Job processes; 0 for none.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Least level of the JSON lines on standard output.",
)
@click.pass_context
def serve(context: click.Context, /, **options: object) -> None:
    """Start IBEX and serve until it is told to stop."""
    settings = settings_from(context, **options)
    configure(settings.log_level)
    interruption = Interruption()
    servers = Servers(settings, say)
    with explained():
        check_settings(settings)
        try:
            _serve(settings, servers, bind(settings.host, settings.port), interruption)
        finally:
            interruption.disregard()
            servers.stop()
    say("Stopped.")


def _serve(settings: Settings, servers: Servers, socket: Socket, interruption: Interruption) -> None:
    settings = settings.model_copy(update={"postgres_connections": connections_per_process(settings)})
    rpc = Listener.of(settings)
    reserved = reserve(rpc.host, rpc.port) if rpc is not None else None
    addresses = servers.start()
    interruption.check()
    # The first start has somebody in front of it; of a later one, only a terminal is known to.
    shows_token = sys.stderr.isatty() or not (settings.data_dir / CREDENTIALS).exists()
    connections, credentials = prepare(settings, addresses, say)
    interruption.check()
    retrieval = prepare_model(settings, say)
    interruption.check()
    index_vectors(model_of(settings), addresses.migration_dsn, say)
    interruption.check()
    instruments = Instruments(settings.providers, processes=settings.workers + settings.jobs)
    # Once for all processes that are forked from here.
    vocabulary = Vocabulary()
    vocabulary.load()

    def web(place: Place) -> None:
        if reserved is not None:
            reserved.close()
        instruments.metrics.attach(place.index)
        serve_web(settings, connections, instruments, vocabulary, socket, place)

    def jobs(place: Place) -> None:
        # As long as anybody has it open, clients are let in.
        socket.close()
        if reserved is not None:
            reserved.close()
        instruments.metrics.attach(settings.workers + place.index)
        os.nice(_NICENESS_OF_JOBS)
        serve_jobs(
            settings,
            connections,
            place,
            instruments.count_job,
            lambda n: instruments.rows_dropped.add("trace", amount=n),
        )

    def stop() -> None:
        socket.close()
        say("Stopping. What is in flight is finished first; a second Ctrl-C does not wait for it.")

    listen(socket)
    Supervisor(
        [Role("web", settings.workers, web), Role("job", settings.jobs, jobs, announces=False)],
        restart_servers=servers.restart_dead,
        on_ready=lambda: say(welcome(settings, credentials, retrieval, shows_token=shows_token)),
        on_stop=stop,
        grace=settings.shutdown_seconds,
    ).run()


@click.command()
@data_dir
@click.pass_context
def migrate(context: click.Context, /, **options: object) -> None:
    """Bring the database to this version's schema. Safe to repeat and to run from several places at once."""
    settings = settings_from(context, **options)
    servers = Servers(settings, say)
    with explained():
        try:
            # A database of one's own needs no Valkey to be migrated.
            own = servers.configured() if settings.postgres_dsn is not None else None
            dsn = (own or servers.reachable() or servers.start()).migration_dsn
            wait_for_postgres(dsn, say)
            before, after = migrate_database(dsn)
            index_vectors(model_of(settings), dsn, say)
            asyncio.run(prepare_clickhouse(settings, say, required=True))
        finally:
            servers.stop()
    was = "as before" if before == after else f"was at {before or 'nothing'}"
    click.echo(f"The schema is at {after}, {was}.")
