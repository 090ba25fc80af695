"""The SQL of receipts."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import scalar_row
from pydantic import TypeAdapter

from ibex.context.receipts.receipt import Receipt
from ibex.storage import Postgres

_receipt = TypeAdapter(Receipt)

# What is stored already, because the answer to an earlier try was lost, is left as it is.
_INSERT = """
INSERT INTO ibex.context_receipts (org_id, id, trace_id, agent_id, session_id, at, receipt)
SELECT %(org_id)s, (r ->> 'id')::uuid, r ->> 'trace_id', (r ->> 'agent_id')::uuid, r ->> 'session_id',
    (r ->> 'at')::timestamptz, r
FROM jsonb_array_elements(%(receipts)s::jsonb) AS r
ON CONFLICT (org_id, id) DO NOTHING
"""


async def insert(postgres: Postgres, org_id: UUID, receipts: Sequence[Receipt]) -> None:
    """Store receipts of one organization."""
    await postgres.execute(org_id, _INSERT, {"org_id": org_id, "receipts": orjson.dumps(receipts).decode()})


async def find(postgres: Postgres, org_id: UUID, request_id: UUID) -> Receipt | None:
    """The receipt of a request; else the first of the trace with that id."""
    found: Any = await postgres.fetch_one(
        org_id,
        """
        SELECT receipt FROM ibex.context_receipts
        WHERE id = %(id)s OR trace_id = %(trace_id)s
        ORDER BY id = %(id)s DESC, at
        LIMIT 1
        """,
        {"id": request_id, "trace_id": request_id.hex},
        row=scalar_row,
    )
    return None if found is None else _receipt.validate_python(found)
