"""The outbox: events that are written with their cause, and passed on later."""

from alembic import op

revision = "0007"
down_revision = "0006"

OUTBOX = """
CREATE TABLE ibex.outbox (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    type text NOT NULL CHECK (length(type) BETWEEN 1 AND 64),
    at timestamptz NOT NULL,
    -- Ids, numbers and names; never what anybody said.
    data jsonb NOT NULL,
    PRIMARY KEY (org_id, id)
);

ALTER TABLE ibex.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.outbox
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);

GRANT SELECT, INSERT, DELETE ON ibex.outbox TO ibex_service;
"""


def upgrade() -> None:
    op.execute(OUTBOX)
