"""Drift: how agents behave, how they did when all was well, and alerts about the difference."""

from alembic import op

revision = "0011"
down_revision = "0010"

# `directive_number` is 0 where an agent had no directive.
TABLES = """
CREATE TABLE ibex.drift_baselines (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    agent_id uuid NOT NULL,
    directive_number integer NOT NULL CHECK (directive_number >= 0),
    calls integer NOT NULL CHECK (calls > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Distributions of numbers, and counts of names; never what anybody said.
    data jsonb NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE
);
CREATE INDEX drift_baselines_agent ON ibex.drift_baselines (org_id, agent_id, id);

CREATE TABLE ibex.drift_alerts (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    agent_id uuid NOT NULL,
    directive_number integer NOT NULL CHECK (directive_number >= 0),
    baseline_id uuid NOT NULL,
    severity text NOT NULL CHECK (severity IN ('low', 'medium', 'high')),
    features jsonb NOT NULL,
    causes jsonb NOT NULL,
    first_seen_at timestamptz NOT NULL,
    -- The number of the first call that is different, among those of the agent and the directive.
    first_call bigint NOT NULL,
    -- The number of the call that raised it.
    found_call bigint NOT NULL,
    suspended_agent boolean NOT NULL,
    status text NOT NULL DEFAULT 'open'
        CHECK (status IN ('open', 'acknowledged', 'resolved', 'false_alarm')),
    created_at timestamptz NOT NULL DEFAULT now(),
    acknowledged_by text,
    acknowledged_at timestamptz,
    closed_by text,
    closed_at timestamptz,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, baseline_id) REFERENCES ibex.drift_baselines (org_id, id) ON DELETE CASCADE,
    CHECK ((closed_at IS NOT NULL) = (status IN ('resolved', 'false_alarm')))
);
CREATE INDEX drift_alerts_agent ON ibex.drift_alerts (org_id, agent_id, id);
CREATE INDEX drift_alerts_baseline ON ibex.drift_alerts (org_id, baseline_id);
CREATE UNIQUE INDEX drift_alerts_unsettled ON ibex.drift_alerts (org_id, agent_id, directive_number)
    WHERE closed_at IS NULL;

CREATE TABLE ibex.drift_detectors (
    org_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    directive_number integer NOT NULL CHECK (directive_number >= 0),
    -- Of the agent with this directive, since the beginning.
    calls bigint NOT NULL DEFAULT 0 CHECK (calls >= 0),
    -- The number of calls before the first that a baseline may be learned from.
    learns_from bigint NOT NULL DEFAULT 0 CHECK (learns_from >= 0),
    -- The number of calls before the first that is compared with the baseline.
    watches_from bigint NOT NULL DEFAULT 0 CHECK (watches_from >= 0),
    baseline_id uuid,
    -- Calls that do not make a block yet, and what is remembered from call to call.
    recent jsonb NOT NULL DEFAULT '{}',
    -- The last blocks, added up.
    blocks jsonb NOT NULL DEFAULT '[]',
    -- By what thresholds of features are multiplied since a false alarm.
    tolerance jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, agent_id, directive_number),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, baseline_id) REFERENCES ibex.drift_baselines (org_id, id)
);
CREATE INDEX drift_detectors_baseline ON ibex.drift_detectors (org_id, baseline_id);

-- Ten calls each, for baselines to be made of; the oldest go.
CREATE TABLE ibex.drift_blocks (
    org_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    directive_number integer NOT NULL,
    -- 1, 2, 3 …
    number bigint NOT NULL CHECK (number > 0),
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    observations jsonb NOT NULL,
    PRIMARY KEY (org_id, agent_id, directive_number, number),
    FOREIGN KEY (org_id, agent_id, directive_number)
        REFERENCES ibex.drift_detectors (org_id, agent_id, directive_number) ON DELETE CASCADE
);

CREATE TABLE ibex.drift_fingerprints (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    agent_id uuid NOT NULL,
    directive_number integer NOT NULL,
    -- The number of the last call in it.
    call bigint NOT NULL CHECK (call > 0),
    calls integer NOT NULL CHECK (calls > 0),
    at timestamptz NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, agent_id, directive_number, call),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE
);
CREATE INDEX drift_fingerprints_agent ON ibex.drift_fingerprints (org_id, agent_id, id);
CREATE INDEX drift_fingerprints_age ON ibex.drift_fingerprints (org_id, at);
"""

POLICY = """
ALTER TABLE ibex.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.{table}
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);
"""

GRANTS = """
GRANT SELECT, INSERT ON ibex.drift_baselines TO ibex_service;
GRANT
    SELECT,
    INSERT,
    UPDATE (
        severity, features, suspended_agent, status, acknowledged_by, acknowledged_at, closed_by, closed_at
    )
    ON ibex.drift_alerts TO ibex_service;
GRANT
    SELECT,
    INSERT (org_id, agent_id, directive_number, baseline_id, recent),
    UPDATE (calls, learns_from, watches_from, baseline_id, recent, blocks, tolerance, updated_at)
    ON ibex.drift_detectors TO ibex_service;
GRANT SELECT, INSERT, DELETE ON ibex.drift_blocks TO ibex_service;
GRANT SELECT, INSERT, DELETE ON ibex.drift_fingerprints TO ibex_service;
"""


def upgrade() -> None:
    op.execute(TABLES)
    for table in (
        "drift_baselines",
        "drift_alerts",
        "drift_detectors",
        "drift_blocks",
        "drift_fingerprints",
    ):
        op.execute(POLICY.format(table=table))
    op.execute(GRANTS)
