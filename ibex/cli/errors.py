"""Where a failure that could be foreseen becomes a sentence and an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg

from ibex.auth import MasterKeyError, PepperError
from ibex.embedded import EmbeddedError
from ibex.errors import IbexError
from ibex.serving.errors import PreparationError
from ibex.serving.listening import AddressError, RpcAddressError
from ibex.serving.supervisor import StartError
from ibex.storage import DatabaseUnavailableError, first_line
from ibex.storage.migrations import MigrationError


@contextmanager
def explained() -> Iterator[None]:
    """End the command with status 1 and the sentence of an error, instead of a traceback."""
    try:
        yield
    except AddressError as error:
        raise click.ClickException(f'{error} With make: make run ARGS="--port 8081".') from None
    except (
        EmbeddedError,
        MasterKeyError,
        MigrationError,
        PepperError,
        PreparationError,
        RpcAddressError,
        StartError,
    ) as error:
        raise click.ClickException(str(error)) from None
    except IbexError as error:
        raise click.ClickException(error.message) from None
    except DatabaseUnavailableError as error:
        raise click.ClickException(f"The database does not answer: {first_line(error)}.") from None
    except (
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedFunction,
        psycopg.errors.InvalidSchemaName,
    ):
        raise click.ClickException(
            "The database has no schema of IBEX yet. Create it with: ibex migrate"
        ) from None
    except psycopg.Error as error:
        raise click.ClickException(f"The database refuses what IBEX needs: {first_line(error)}.") from None
