"""Whether what is said to an organization's agents is remembered."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE ibex.organizations ADD COLUMN memory_capture boolean NOT NULL DEFAULT true")
    op.execute("GRANT UPDATE (memory_capture) ON ibex.organizations TO ibex_service")
