"""Dead letters: jobs that were given up, until somebody replays or discards them."""

from alembic import op

revision = "0008"
down_revision = "0007"

DEAD_LETTERS = """
CREATE TABLE ibex.dead_letters (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    job_id text NOT NULL CHECK (length(job_id) BETWEEN 1 AND 1000),
    -- JSON as it was left in the queue, which may hold what people said; jsonb refuses some of what JSON may
    -- be. NULL: it could not be read.
    payload bytea,
    -- The names of what is in it.
    keys text[] NOT NULL,
    tries integer NOT NULL CHECK (tries > 0),
    -- The type of the error and never its message.
    error text NOT NULL CHECK (length(error) BETWEEN 1 AND 200),
    first_failed_at timestamptz NOT NULL,
    died_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, id),
    -- A worker that dies between the letter and the queue leaves it once.
    UNIQUE (org_id, job_id)
);

ALTER TABLE ibex.dead_letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.dead_letters FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.dead_letters
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);

GRANT SELECT, INSERT, DELETE ON ibex.dead_letters TO ibex_service;
"""


def upgrade() -> None:
    op.execute(DEAD_LETTERS)
