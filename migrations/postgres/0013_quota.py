"""What may be used in a month, what was, and what was told of it."""

from alembic import op

revision = "0013"
down_revision = "0012"

ALLOWANCES = """
ALTER TABLE ibex.limit_overrides
    ADD COLUMN requests_per_month bigint CHECK (requests_per_month >= 0),
    ADD COLUMN tokens_per_month bigint CHECK (tokens_per_month >= 0),
    -- In 1e-9 US dollars.
    ADD COLUMN nano_usd_per_month bigint CHECK (nano_usd_per_month >= 0),
    DROP CONSTRAINT limit_overrides_check,
    ADD CONSTRAINT limit_overrides_say_something CHECK (
        num_nonnulls(
            requests_per_minute, tokens_per_minute, concurrent_requests,
            requests_per_month, tokens_per_month, nano_usd_per_month
        ) > 0
    ),
    ADD CONSTRAINT limit_overrides_by_month CHECK (
        scope IN ('organization', 'agent')
        OR num_nonnulls(requests_per_month, tokens_per_month, nano_usd_per_month) = 0
    );
-- Those that hold for a month are looked for with every batch of traces.
CREATE INDEX limit_overrides_month ON ibex.limit_overrides (org_id)
    WHERE num_nonnulls(requests_per_month, tokens_per_month, nano_usd_per_month) > 0;

GRANT
    INSERT (requests_per_month, tokens_per_month, nano_usd_per_month),
    UPDATE (requests_per_month, tokens_per_month, nano_usd_per_month)
    ON ibex.limit_overrides TO ibex_service;
"""

# Counted in the transaction that writes the turn, so each call counts once.
MONTHS = """
CREATE TABLE ibex.usage_months (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id) ON DELETE CASCADE,
    -- Its first day, in UTC.
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    scope text NOT NULL CHECK (scope IN ('organization', 'agent')),
    subject uuid NOT NULL,
    -- Calls that a provider was asked for.
    requests bigint NOT NULL CHECK (requests >= 0),
    tokens bigint NOT NULL CHECK (tokens >= 0),
    cost_nano_usd bigint NOT NULL CHECK (cost_nano_usd >= 0),
    PRIMARY KEY (org_id, month, scope, subject)
);

GRANT SELECT, INSERT, UPDATE (requests, tokens, cost_nano_usd) ON ibex.usage_months TO ibex_service;
"""

NOTICES = """
CREATE TABLE ibex.limit_notices (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id) ON DELETE CASCADE,
    -- The beginning of the month or the hour in which it is told once.
    since timestamptz NOT NULL,
    scope text NOT NULL CHECK (scope IN ('organization', 'agent')),
    subject uuid NOT NULL,
    -- What of is used up: of a month, or of a minute.
    dimension text NOT NULL
        CHECK (dimension IN ('requests_per_month', 'tokens_per_month', 'usd_per_month', 'rate')),
    percent smallint NOT NULL CHECK (percent BETWEEN 1 AND 100),
    PRIMARY KEY (org_id, since, scope, subject, dimension, percent)
);

GRANT SELECT, INSERT, DELETE ON ibex.limit_notices TO ibex_service;
"""

POLICY = """
ALTER TABLE ibex.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.{table}
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);
"""


def upgrade() -> None:
    op.execute(ALLOWANCES)
    op.execute(MONTHS)
    op.execute(NOTICES)
    for table in ("usage_months", "limit_notices"):
        op.execute(POLICY.format(table=table))
