"""The SQL of what is known of agents from call to call."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row, tuple_row

from ibex.drift.observation import Observation
from ibex.drift.records import Detector, Recent, read_blocks, read_observations, written_observations
from ibex.drift.window import Block
from ibex.storage import Postgres

Key = tuple[UUID, int]
Connection = psycopg.AsyncConnection[Any]

# Blocks of an agent and a directive that are kept for baselines: 3,000 calls, some 400 KB.
KEPT_BLOCKS = 300

_WANTED = """
    FROM ibex.drift_detectors AS d
    JOIN unnest(%(agents)s::uuid[], %(directives)s::integer[]) AS w (agent_id, directive_number)
        USING (agent_id, directive_number)
"""


async def lock(connection: Connection, org_id: UUID, keys: Sequence[Key]) -> dict[Key, Detector]:
    """What is known of agents, if only since now. Nobody else changes it until the end of the transaction.

    One that is new begins with the baseline that its agent was compared with last, whatever directive that is
    of, or with none, and with what the agent's calls were made with before.
    """
    wanted = {"agents": [agent_id for agent_id, _ in keys], "directives": [number for _, number in keys]}
    found = await _lock(connection, wanted)
    if len(found) < len(keys):
        await connection.execute(
            """
            INSERT INTO ibex.drift_detectors (org_id, agent_id, directive_number, baseline_id, recent)
            SELECT %(org_id)s, w.agent_id, w.directive_number, last.baseline_id,
                jsonb_strip_nulls(jsonb_build_object('seen', last.recent -> 'seen'))
            FROM unnest(%(agents)s::uuid[], %(directives)s::integer[]) AS w (agent_id, directive_number)
            LEFT JOIN LATERAL (
                SELECT d.baseline_id, d.recent FROM ibex.drift_detectors AS d
                WHERE d.agent_id = w.agent_id
                ORDER BY d.updated_at DESC, d.directive_number DESC LIMIT 1
            ) AS last ON true
            WHERE EXISTS (SELECT FROM ibex.agents AS a WHERE a.id = w.agent_id)
            ON CONFLICT (org_id, agent_id, directive_number) DO NOTHING
            """,
            {"org_id": org_id, **wanted},
        )
        found = await _lock(connection, wanted)
    return found


async def lock_known(connection: Connection, key: Key) -> Detector | None:
    """The same of one agent, if anything is known of it."""
    return (await _lock(connection, {"agents": [key[0]], "directives": [key[1]]})).get(key)


async def _lock(connection: Connection, wanted: Mapping[str, Any]) -> dict[Key, Detector]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT agent_id, directive_number, calls, learns_from, watches_from, baseline_id, recent"
            + _WANTED
            + " ORDER BY agent_id, directive_number FOR UPDATE OF d",
            wanted,
        )
        rows = await cursor.fetchall()
    detectors = [Detector(**{**row, "recent": Recent.read(row["recent"])}) for row in rows]
    return {(each.agent_id, each.directive_number): each for each in detectors}


async def windows(
    connection: Connection, keys: Sequence[Key]
) -> dict[Key, tuple[list[Block], dict[str, float]]]:
    """The last blocks of agents, and by what thresholds are multiplied."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "SELECT agent_id, directive_number, blocks, tolerance" + _WANTED,
            {"agents": [agent_id for agent_id, _ in keys], "directives": [number for _, number in keys]},
        )
        return {
            (agent_id, number): (read_blocks(blocks), tolerance)
            for agent_id, number, blocks, tolerance in await cursor.fetchall()
        }


async def save(connection: Connection, detectors: Sequence[Detector]) -> None:
    """What changes with every call."""
    rows = [
        {
            "agent_id": each.agent_id,
            "directive_number": each.directive_number,
            "calls": each.calls,
            "learns_from": each.learns_from,
            "watches_from": each.watches_from,
            "baseline_id": each.baseline_id,
            "recent": each.recent.written(),
        }
        for each in detectors
    ]
    await connection.execute(
        """
        UPDATE ibex.drift_detectors AS d
        SET calls = n.calls, learns_from = n.learns_from, watches_from = n.watches_from,
            baseline_id = n.baseline_id, recent = n.recent, updated_at = now()
        FROM jsonb_to_recordset(%s::jsonb) AS n (
            agent_id uuid, directive_number integer, calls bigint, learns_from bigint, watches_from bigint,
            baseline_id uuid, recent jsonb
        )
        WHERE d.agent_id = n.agent_id AND d.directive_number = n.directive_number
        """,
        (orjson.dumps(rows).decode(),),
    )


async def save_window(connection: Connection, key: Key, blocks: Sequence[Block]) -> None:
    """The last blocks, added up."""
    await connection.execute(
        "UPDATE ibex.drift_detectors SET blocks = %s::jsonb WHERE agent_id = %s AND directive_number = %s",
        (orjson.dumps([asdict(each) for each in blocks]).decode(), *key),
    )


async def tolerate(connection: Connection, key: Key, tolerance: Mapping[str, float]) -> None:
    """By what thresholds are multiplied from now on."""
    await connection.execute(
        "UPDATE ibex.drift_detectors SET tolerance = %s::jsonb WHERE agent_id = %s AND directive_number = %s",
        (orjson.dumps(dict(tolerance)).decode(), *key),
    )


async def tolerance(connection: Connection, key: Key) -> dict[str, float]:
    cursor = await connection.execute(
        "SELECT tolerance FROM ibex.drift_detectors WHERE agent_id = %s AND directive_number = %s", key
    )
    row = await cursor.fetchone()
    return dict(row[0]) if row is not None else {}


async def keep_blocks(
    connection: Connection, org_id: UUID, key: Key, blocks: Iterable[tuple[int, Sequence[Observation]]]
) -> None:
    """Blocks by their numbers, call by call; the oldest go."""
    rows: list[dict[str, Any]] = [
        {
            "number": number,
            "first_at": min(each.at for each in observations),
            "last_at": max(each.at for each in observations),
            "observations": written_observations(observations),
        }
        for number, observations in blocks
    ]
    await connection.execute(
        """
        INSERT INTO ibex.drift_blocks (
            org_id, agent_id, directive_number, number, first_at, last_at, observations
        )
        SELECT %s, %s, %s, number, to_timestamp(first_at), to_timestamp(last_at), observations
        FROM jsonb_to_recordset(%s::jsonb) AS n (
            number bigint, first_at double precision, last_at double precision, observations jsonb
        )
        """,
        (org_id, *key, orjson.dumps(rows).decode()),
    )
    await connection.execute(
        "DELETE FROM ibex.drift_blocks WHERE agent_id = %s AND directive_number = %s AND number <= %s",
        (*key, rows[-1]["number"] - KEPT_BLOCKS),
    )


async def last_observations(
    connection: Connection,
    key: Key,
    most: int,
    *,
    after: int = 0,
    before: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Observation]:
    """The last calls in the order in which they came, of those that are kept.

    Parameters
    ----------
    most: blocks.
    after, before: numbers of blocks; the last one is among them.
    since, until: of the first and the last call of a block.
    """
    cursor = await connection.execute(
        """
        SELECT observations FROM ibex.drift_blocks
        WHERE agent_id = %s AND directive_number = %s AND number > %s
            AND (%s::bigint IS NULL OR number <= %s)
            AND (%s::timestamptz IS NULL OR first_at >= %s)
            AND (%s::timestamptz IS NULL OR last_at <= %s)
        ORDER BY number DESC LIMIT %s
        """,
        (*key, after, before, before, since, since, until, until, most),
    )
    rows = await cursor.fetchall()
    return [each for (stored,) in reversed(rows) for each in read_observations(stored)]


async def suspends_on(connection: Connection, agent_id: UUID) -> str | None:
    """What the agent's configuration says of alerts that pause it."""
    cursor = await connection.execute(
        "SELECT config #>> '{drift,suspend_on}' FROM ibex.agents WHERE id = %s AND status = 'active'",
        (agent_id,),
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def memories_added(
    connection: Connection, agent_id: UUID, first_id: UUID, fewest: int
) -> tuple[int, float] | None:
    """How many memories an agent was given that no call of its own has brought, and when the first of them.

    None when they are fewer than `fewest`.
    """
    cursor = await connection.execute(
        """
        SELECT count(*), extract(epoch FROM min(created_at))::double precision
        FROM ibex.memories
        WHERE agent_id = %s AND id >= %s AND trace_id IS NULL AND turn_id IS NULL
        """,
        (agent_id, first_id),
    )
    row = await cursor.fetchone()
    return None if row is None or row[0] < fewest else (row[0], row[1])


async def overview(postgres: Postgres, org_id: UUID, agent_id: UUID | None) -> list[dict[str, Any]]:
    """Every agent and directive that is watched, with its unsettled alert."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT d.agent_id, d.directive_number, d.calls, d.learns_from, d.baseline_id,
            b.directive_number AS baseline_directive_number, d.tolerance, a.id AS alert_id, d.updated_at
        FROM ibex.drift_detectors AS d
        LEFT JOIN ibex.drift_baselines AS b ON b.org_id = d.org_id AND b.id = d.baseline_id
        LEFT JOIN ibex.drift_alerts AS a
            ON a.org_id = d.org_id AND a.agent_id = d.agent_id
            AND a.directive_number = d.directive_number AND a.closed_at IS NULL
        WHERE %s::uuid IS NULL OR d.agent_id = %s
        ORDER BY d.agent_id, d.directive_number
        LIMIT 1000
        """,
        (agent_id, agent_id),
        row=dict_row,
    )
