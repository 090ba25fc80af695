"""The approximate index of the vectors of one model. Only the owner of the schema can make it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection, sql

from ibex.memory.embedding import EmbeddingModel
from ibex.storage import first_line

# Any constant does, as long as every replica uses the same.
_LOCK = 0x1BE0_0005

_NUMBER = "SELECT id FROM ibex.embedding_models WHERE name = %s AND version = %s AND dimensions = %s"


class VectorIndexError(Exception):
    """The index cannot be made; the message says why. Searches are right without it, and slower."""


def make_index(dsn: str, model: EmbeddingModel, report: Callable[[str], None]) -> None:
    """Make the index unless it is there or another process makes it at this moment.

    Writers go on meanwhile. One that a broken-off attempt has left is made anew.
    Raises `VectorIndexError`.

    Parameters
    ----------
    report: told, in a sentence, before something is made.
    """
    with _connected(dsn) as connection:
        number = _number(connection, model)
        if number is not None and _is_valid(connection, number):
            return
        # Not waited for: who waits at a lock is waited for by whoever makes an index beside writers.
        if not _value(connection, "SELECT pg_try_advisory_lock(%s)", _LOCK):
            return
        number = _numbered(connection, model)
        is_valid = _is_valid(connection, number)
        if is_valid is None:
            report(f"Making the index for vectors of {model.name}.")
        if is_valid is False:
            report(f"Making the index for vectors of {model.name} anew; it was not finished.")
            connection.execute(
                sql.SQL("DROP INDEX CONCURRENTLY ibex.{name}").format(name=sql.Identifier(_name(number)))
            )
        if not is_valid:
            connection.execute(
                sql.SQL(
                    """
                    CREATE INDEX CONCURRENTLY {name} ON ibex.memory_embeddings
                    USING hnsw ((embedding::halfvec({dimensions})) halfvec_cosine_ops)
                    WITH (ef_construction = 200)
                    WHERE model_id = {model}
                    """
                ).format(
                    name=sql.Identifier(_name(number)),
                    dimensions=sql.Literal(model.dimensions),
                    model=sql.Literal(number),
                )
            )


@contextmanager
def _connected(dsn: str) -> Iterator[Connection]:
    """Outside of transactions, and as patient as it takes."""
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=5, application_name="ibex") as connection:
            yield connection
    except psycopg.errors.InsufficientPrivilege:
        raise VectorIndexError("only the owner of the schema may make it") from None
    except psycopg.Error as error:
        raise VectorIndexError(first_line(error)) from None


def _number(connection: Connection, model: EmbeddingModel) -> int | None:
    found = _value(connection, _NUMBER, model.name, model.version, model.dimensions)
    return None if found is None else int(str(found))


def _numbered(connection: Connection, model: EmbeddingModel) -> int:
    """As `_number`, given now if it never was."""
    connection.execute(
        """
        INSERT INTO ibex.embedding_models (name, version, dimensions) VALUES (%s, %s, %s)
        ON CONFLICT DO NOTHING
        """,
        (model.name, model.version, model.dimensions),
    )
    return int(str(_value(connection, _NUMBER, model.name, model.version, model.dimensions)))


def _is_valid(connection: Connection, number: int) -> bool | None:
    """None when there is none; False when it was never finished."""
    found = _value(
        connection,
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
        f"ibex.{_name(number)}",
    )
    return None if found is None else bool(found)


def _name(number: int) -> str:
    return f"memory_embeddings_{number}"


def _value(connection: Connection, query: str, *parameters: object) -> object:
    row = connection.execute(query.encode(), parameters).fetchone()
    return None if row is None else row[0]
