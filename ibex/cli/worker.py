"""`ibex worker`: job processes alone, for an installation whose web processes run elsewhere."""

import click

from ibex.cli.errors import explained
from ibex.cli.interruption import Interruption
from ibex.cli.options import data_dir, settings_from
from ibex.cli.progress import say
from ibex.serving.checks import check_settings
from ibex.serving.errors import PreparationError
from ibex.serving.job_process import serve_jobs
from ibex.serving.preparation import prepare
from ibex.serving.servers import Servers
from ibex.serving.supervisor import Place, Role, Supervisor
from ibex.telemetry.logs import configure


@click.command()
@data_dir
@click.option("--jobs", type=click.IntRange(1, 64), help="Job processes.")
@click.pass_context
def worker(context: click.Context, /, **options: object) -> None:
    """Run job processes alone. They work for the IBEX on this data directory, or on configured databases."""
    settings = settings_from(context, **options)
    configure(settings.log_level)
    interruption = Interruption()
    with explained():
        check_settings(settings)
        addresses = Servers(settings, say).reachable()
        if addresses is None:
            raise PreparationError(
                "No IBEX runs on this data directory. Start one with `ibex serve`, "
                "or set IBEX_POSTGRES_DSN and IBEX_REDIS_URL."
            )
        connections, _ = prepare(settings, addresses, say)
        interruption.check()

        def jobs(place: Place) -> None:
            serve_jobs(settings, connections, place)

        Supervisor(
            [Role("job", max(1, settings.jobs), jobs)],
            restart_servers=list,
            on_ready=lambda: say("The worker is ready."),
            on_stop=lambda: say("Stopping. Jobs under way are finished first."),
            grace=settings.shutdown_seconds,
        ).run()
    say("Stopped.")
