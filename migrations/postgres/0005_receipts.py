"""Receipts: of each call, what the model was told beside what the client sent, and why."""

from alembic import op

revision = "0005"
down_revision = "0004"

RECEIPTS = """
CREATE TABLE ibex.context_receipts (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id) ON DELETE CASCADE,
    -- The request's.
    id uuid NOT NULL,
    -- That of a trace which began outside, and may have more than one call; else the id without hyphens.
    trace_id text NOT NULL CHECK (length(trace_id) = 32),
    agent_id uuid NOT NULL,
    session_id text CHECK (length(session_id) <= 64),
    at timestamptz NOT NULL,
    -- Ids, numbers and reasons; never what anybody said.
    receipt jsonb NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE
);
CREATE INDEX context_receipts_trace ON ibex.context_receipts (org_id, trace_id, at);

ALTER TABLE ibex.context_receipts ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.context_receipts FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.context_receipts
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);

GRANT SELECT, INSERT ON ibex.context_receipts TO ibex_service;
"""


def upgrade() -> None:
    op.execute(RECEIPTS)
