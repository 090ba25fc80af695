"""`ibex serve` and `ibex migrate`."""

import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from ibex.cli.options import data_dir, settings_from
from ibex.cli.welcome import welcome
from ibex.embedded import EmbeddedError
from ibex.serving.job_process import serve_jobs
from ibex.serving.listening import bind, listen
from ibex.serving.preparation import PreparationError, Servers, connections_per_process, prepare, say
from ibex.serving.supervisor import Place, Role, Supervisor
from ibex.serving.web_process import serve as serve_web
from ibex.storage.migrations import MigrationError
from ibex.storage.migrations import migrate as migrate_database
from ibex.telemetry import Instruments
from ibex.telemetry.logs import configure


@click.command()
@data_dir
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--workers", type=int, help="Web processes.")
@click.option("--jobs", type=int, help="Job processes; 0 for none.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.pass_context
def serve(context: click.Context, /, **options: object) -> None:
    """Start IBEX and serve until it is told to stop."""
    settings = settings_from(context, **options)
    configure(settings.log_level)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        socket = bind(settings.host, settings.port)
    except OSError as error:
        raise click.ClickException(
            f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}. "
            "Choose another with --port or IBEX_PORT, or stop what uses it."
        ) from None
    servers = Servers(settings, say)
    try:
        addresses = servers.start()
        connections, credentials = prepare(settings, addresses, say)
        settings = settings.model_copy(update={"postgres_connections": connections_per_process(settings)})
        instruments = Instruments(settings.providers, processes=settings.workers)

        def web(place: Place) -> None:
            instruments.metrics.attach(place.index)
            serve_web(settings, connections, instruments, socket, place)

        def jobs(place: Place) -> None:
            serve_jobs(settings, connections, place)

        listen(socket)
        Supervisor(
            [Role("web", settings.workers, web), Role("job", settings.jobs, jobs, announces=False)],
            restart_servers=servers.restart_dead,
            on_ready=lambda: say(welcome(settings, credentials)),
            grace=settings.shutdown_seconds,
        ).run()
    except (EmbeddedError, PreparationError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        servers.stop()


@click.command()
@data_dir
@click.pass_context
def migrate(context: click.Context, /, **options: object) -> None:
    """Bring the database to this version's schema. Safe to repeat and to run from several places at once."""
    settings = settings_from(context, **options)
    servers = Servers(settings, say)
    try:
        addresses = servers.running() or servers.start()
        before, after = migrate_database(addresses.migration_dsn)
        click.echo(
            f"The schema is at {after}"
            + (", as before." if before == after else f", was at {before or 'nothing'}.")
        )
    except (EmbeddedError, MigrationError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        servers.stop()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Told to stop before anything is served: unwind, which stops what has been started."""
    sys.exit(0)
