"""What is said in sessions, for organizations that want it kept, and where it is archived."""

from alembic import op

revision = "0012"
down_revision = "0011"

CHOICES = """
ALTER TABLE ibex.organizations
    ADD COLUMN store_content boolean NOT NULL DEFAULT false,
    ADD COLUMN content_days integer NOT NULL DEFAULT 90 CHECK (content_days BETWEEN 1 AND 3650);
GRANT UPDATE (store_content, content_days) ON ibex.organizations TO ibex_service;
"""

CONTENTS = """
CREATE TABLE ibex.session_contents (
    org_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    session_id text NOT NULL CHECK (length(session_id) <= 64),
    -- The request's. It may be here before the turn is.
    turn_id uuid NOT NULL,
    at timestamptz NOT NULL,
    -- One line of JSON without its end, byte for byte as it will be archived.
    line bytea NOT NULL,
    PRIMARY KEY (org_id, agent_id, session_id, turn_id),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE
);

CREATE TABLE ibex.session_archives (
    org_id uuid NOT NULL,
    -- In the store of objects; it begins with the organization and has the first turn and the checksum in it.
    object_key text NOT NULL,
    agent_id uuid NOT NULL,
    session_id text NOT NULL CHECK (length(session_id) <= 64),
    format smallint NOT NULL,
    turns integer NOT NULL CHECK (turns > 0),
    first_turn_id uuid NOT NULL,
    last_turn_id uuid NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    -- Of the lines, and of the object that has them compressed.
    content_bytes bigint NOT NULL CHECK (content_bytes > 0),
    object_bytes bigint NOT NULL CHECK (object_bytes > 0),
    object_sha256 bytea NOT NULL CHECK (length(object_sha256) = 32),
    archived_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, object_key),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE
);
CREATE INDEX session_archives_session
    ON ibex.session_archives (org_id, agent_id, session_id, first_turn_id);
CREATE INDEX session_archives_last ON ibex.session_archives (org_id, last_at);

GRANT SELECT, INSERT, DELETE ON ibex.session_contents, ibex.session_archives TO ibex_service;
"""


def upgrade() -> None:
    op.execute(CHOICES)
    op.execute(CONTENTS)
    for table in ("session_contents", "session_archives"):
        op.execute(f"ALTER TABLE ibex.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE ibex.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant ON ibex.{table} "
            "USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid) "
            "WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)"
        )
