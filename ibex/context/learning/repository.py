"""The SQL of what organizations have chosen for what is said to their agents."""

from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from ibex.storage import Postgres


@dataclass(frozen=True, slots=True)
class LearningChoice:
    """Whether what is said is remembered, and what is done with personal data in it."""

    memory_capture: bool
    memory_pii: str


async def choice(postgres: Postgres, org_id: UUID) -> LearningChoice | None:
    """None when there is no such organization."""
    return await postgres.fetch_one(
        org_id,
        "SELECT memory_capture, memory_pii FROM ibex.organizations WHERE id = %s",
        (org_id,),
        row=class_row(LearningChoice),
    )
