"""Loads made-up conversations straight into the tables, and says where they are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from uuid import UUID

import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.memory_corpus import DIMENSIONS, Conversation, Corpus
from ibex.embedded import PostgresServer
from ibex.memory.memory import Scope
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.storage.migrations import migrate

ORGANIZATION = UUID(int=0x0B0E)
# Rows that are made and sent at a time.
_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Table:
    """A database that holds conversations of these sizes, each of an agent of its own."""

    dsn: str
    sizes: Sequence[int]

    def scope(self, number: int) -> Scope:
        return Scope(ORGANIZATION, _agent(number))


def table(
    server: PostgresServer, name: str, sizes: Sequence[int], corpus: Corpus, say: Callable[[str], None]
) -> Table:
    """The database of that name, loaded now if it is not there."""
    superuser = make_conninfo(server.superuser_dsn, dbname=name)
    with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if known is None:
            unfinished = f"{name}_unfinished"
            connection.execute(f"DROP DATABASE IF EXISTS {unfinished}")
            connection.execute(f"CREATE DATABASE {unfinished} OWNER ibex_owner")
            connection.execute(f"GRANT CONNECT ON DATABASE {unfinished} TO ibex_service")
            _load(server, unfinished, sizes, corpus, say)
            connection.execute(f"ALTER DATABASE {unfinished} RENAME TO {name}")
    with psycopg.connect(superuser, autocommit=True) as connection:
        # What was just loaded would otherwise be written out and frozen while it is measured.
        connection.execute("VACUUM (FREEZE, ANALYZE)")
        connection.execute("CHECKPOINT")
    return Table(make_conninfo(server.service_dsn, dbname=name), sizes)


def _load(
    server: PostgresServer, name: str, sizes: Sequence[int], corpus: Corpus, say: Callable[[str], None]
) -> None:
    superuser = make_conninfo(server.superuser_dsn, dbname=name)
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    migrate(make_conninfo(server.owner_dsn, dbname=name))
    with psycopg.connect(superuser, autocommit=True) as connection:
        # References are right by construction; looking each of them up would take longer than all the rest.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '3GB'")
        connection.execute("SET max_parallel_maintenance_workers = 2")
        connection.execute(
            "INSERT INTO ibex.organizations (id, slug, name) VALUES (%s, 'benchmark', 'Benchmark')",
            (ORGANIZATION,),
        )
        indexes = _without_indexes(connection)
        tokenizer = Tokenizer()
        for number, size in enumerate(sizes):
            _add(connection, number, corpus.conversation(number, size), tokenizer)
            if number % 50 == 0 or size > _CHUNK:
                say(f"loaded {number + 1} of {len(sizes)} conversations")
        for definition in indexes:
            say(definition)
            connection.execute(definition.encode())


def _without_indexes(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """Drop those that are made faster at the end; how to make them again."""
    names = ["memories_words", "memory_embeddings_1"]
    found = connection.execute(
        "SELECT indexdef FROM pg_indexes WHERE indexname = ANY(%s)", (names,)
    ).fetchall()
    connection.execute("DROP INDEX ibex.memories_words, ibex.memory_embeddings_1")
    return [str(row[0]) for row in found]


def _add(
    connection: psycopg.Connection[tuple[object, ...]],
    number: int,
    conversation: Conversation,
    tokenizer: Tokenizer,
) -> None:
    size, agent = len(conversation.texts), _agent(number)
    connection.execute(
        "INSERT INTO ibex.agents (org_id, id, slug, name) VALUES (%s, %s, %s, %s)",
        (ORGANIZATION, agent, f"agent-{number}", f"Agent {number}"),
    )
    partition = connection.execute(
        """
        INSERT INTO ibex.memory_partitions (org_id, agent_id, revision, live) VALUES (%s, %s, %s, %s)
        RETURNING id
        """,
        (ORGANIZATION, agent, size, size),
    ).fetchone()
    assert partition is not None
    partition_id = int(str(partition[0]))
    with connection.cursor() as cursor:
        with cursor.copy(_COPY_MEMORIES) as copy:
            rows = _rows(number, partition_id, conversation, tokenizer)
            while chunk := list(islice(rows, _CHUNK)):
                copy.write("".join(chunk))
        with cursor.copy(_COPY_EMBEDDINGS) as copy:
            copy.write(_BINARY_HEADER)
            copy.write(_embeddings(number, partition_id, conversation))
            copy.write(b"\xff\xff")


_COPY_MEMORIES = """
    COPY ibex.memories (
        org_id, id, partition_id, revision, agent_id, session_id, visibility, kind, status, content,
        content_hash, words, confidence, observed_at, embedded_version
    ) FROM STDIN
"""

_COPY_EMBEDDINGS = """
    COPY ibex.memory_embeddings (org_id, memory_id, model_id, partition_id, version, embedding)
    FROM STDIN (FORMAT binary)
"""


def _rows(number: int, partition_id: int, conversation: Conversation, tokenizer: Tokenizer) -> Iterator[str]:
    agent = _agent(number)
    turns = zip(conversation.texts, conversation.sessions, conversation.observed, strict=True)
    for at, (text, session, observed) in enumerate(turns):
        id_ = memory_id(number, at)
        words = " ".join(tokenizer.terms(text).counts)
        digest = sha256(id_.bytes).hexdigest()
        yield (
            f"{ORGANIZATION}\t{id_}\t{partition_id}\t{at + 1}\t{agent}\t{session}\tagent\tepisodic\tactive\t"
            f"{text}\t\\\\x{digest}\t{words}\t1\t{observed.isoformat()}\t1\n"
        )


# "Binary Format" in PostgreSQL's description of COPY: a signature, flags and the length of an extension; then
# the number of fields of each row, and each field after its length.
_BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_BINARY_ROW = np.dtype(
    [
        ("fields", ">i2"),
        *(("org_length", ">i4"), ("org_id", "V16")),
        *(("memory_length", ">i4"), ("memory_id", "V16")),
        *(("model_length", ">i4"), ("model_id", ">i2")),
        *(("partition_length", ">i4"), ("partition_id", ">i8")),
        *(("version_length", ">i4"), ("version", ">i4")),
        *(("embedding_length", ">i4"), ("dimensions", ">i2"), ("unused", ">i2")),
        ("embedding", ">f2", DIMENSIONS),
    ]
)


def _embeddings(number: int, partition_id: int, conversation: Conversation) -> bytes:
    size = len(conversation.texts)
    rows = np.zeros(size, _BINARY_ROW)
    rows["fields"] = 6
    for name, length in (("org", 16), ("memory", 16), ("model", 2), ("partition", 8), ("version", 4)):
        rows[f"{name}_length"] = length
    rows["embedding_length"] = 4 + 2 * DIMENSIONS
    rows["org_id"] = np.void(ORGANIZATION.bytes)
    ids = b"".join(memory_id(number, at).bytes for at in range(size))
    rows["memory_id"] = np.frombuffer(ids, "V16")
    rows["model_id"] = rows["version"] = 1
    rows["partition_id"] = partition_id
    rows["dimensions"] = DIMENSIONS
    rows["embedding"] = conversation.vectors
    return rows.tobytes()


def memory_id(number: int, at: int) -> UUID:
    """Of the memory at a place of a conversation."""
    return UUID(int=(number + 1) << 64 | at + 1)


def _agent(number: int) -> UUID:
    return UUID(int=0xA << 120 | number + 1)
