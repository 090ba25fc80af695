"""Webhooks, their secrets, and the log of what was delivered to them.

A delivery is one event for one webhook. It is due until it was delivered or is given up. Whoever claims it
has it for a time, so that one whose process dies can be claimed again.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

WEBHOOKS = """
CREATE TABLE ibex.webhooks (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    -- https:, http: where the installation allows it, or mailto:.
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    -- Empty: of every type.
    events text[] NOT NULL DEFAULT '{}' CHECK (cardinality(events) <= 64),
    status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled')),
    -- Why it is disabled.
    reason text CHECK (reason IN ('requested', 'gone', 'failing')),
    -- Since when no attempt has succeeded, and how many have not.
    failing_since timestamptz,
    failed_in_a_row integer NOT NULL DEFAULT 0 CHECK (failed_in_a_row >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id),
    CHECK ((status = 'disabled') = (reason IS NOT NULL)),
    CHECK ((failed_in_a_row > 0) = (failing_since IS NOT NULL))
);

CREATE TABLE ibex.webhook_secrets (
    org_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    id uuid NOT NULL,
    -- AES-256-GCM: nonce, ciphertext and tag; bound to its organization, its id and the key's.
    sealed bytea NOT NULL,
    key_id text NOT NULL,
    -- NULL: the present one. Until then what is sent is signed with an earlier one as well.
    expires_at timestamptz,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, webhook_id) REFERENCES ibex.webhooks (org_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX webhook_secrets_present ON ibex.webhook_secrets (org_id, webhook_id)
    WHERE expires_at IS NULL;
CREATE INDEX webhook_secrets_webhook ON ibex.webhook_secrets (org_id, webhook_id);

-- Which master keys are needed to open what is stored.
CREATE OR REPLACE FUNCTION ibex.credential_key_ids() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT needed.key_id ORDER BY needed.key_id), '{}')
    FROM (
        SELECT c.key_id FROM ibex.provider_credentials AS c
        UNION ALL
        SELECT s.key_id FROM ibex.webhook_secrets AS s
    ) AS needed
$$;
"""

DELIVERIES = """
CREATE TABLE ibex.webhook_deliveries (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL CHECK (length(type) BETWEEN 1 AND 64),
    at timestamptz NOT NULL,
    -- Ids, numbers and names; never what anybody said.
    data jsonb NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    -- Those that have begun, and how many of them before the delivery was begun anew.
    attempts integer NOT NULL DEFAULT 0,
    attempts_before integer NOT NULL DEFAULT 0,
    -- NULL: it is over.
    due_at timestamptz,
    -- By the clock of the database. One that is over may be claimed still: its last attempt is under way.
    claim uuid,
    claimed_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (org_id, id),
    -- However often an event is passed on, nobody is told of it twice.
    UNIQUE (org_id, webhook_id, event_id),
    FOREIGN KEY (org_id, webhook_id) REFERENCES ibex.webhooks (org_id, id) ON DELETE CASCADE,
    CHECK ((status = 'pending') = (due_at IS NOT NULL)),
    CHECK ((claim IS NULL) = (claimed_until IS NULL))
);
CREATE INDEX webhook_deliveries_due ON ibex.webhook_deliveries (org_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_of_webhook ON ibex.webhook_deliveries (org_id, webhook_id, due_at, id)
    WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_claimed ON ibex.webhook_deliveries (org_id, webhook_id)
    WHERE claimed_until IS NOT NULL;
CREATE INDEX webhook_deliveries_finished ON ibex.webhook_deliveries (org_id, finished_at)
    WHERE finished_at IS NOT NULL;
CREATE INDEX webhook_deliveries_log ON ibex.webhook_deliveries (org_id, webhook_id, id);

CREATE TABLE ibex.webhook_attempts (
    org_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    -- 1, 2, 3 … of its delivery; one whose process has died leaves a gap.
    number integer NOT NULL CHECK (number > 0),
    at timestamptz NOT NULL,
    duration_ms real NOT NULL CHECK (duration_ms >= 0),
    -- What the endpoint answered with.
    status smallint,
    -- Why it has failed.
    error text CHECK (length(error) <= 63),
    PRIMARY KEY (org_id, delivery_id, number),
    FOREIGN KEY (org_id, delivery_id) REFERENCES ibex.webhook_deliveries (org_id, id) ON DELETE CASCADE
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ibex.webhook_attempts
    FOR EACH ROW EXECUTE FUNCTION ibex.refuse_change_of_version();
CREATE TRIGGER no_truncation BEFORE TRUNCATE ON ibex.webhook_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION ibex.refuse_change();
"""

# An organization has something to do when events wait to be passed on, or deliveries are due.
LOOKUPS = """
CREATE POLICY lookup ON ibex.outbox FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY lookup ON ibex.webhook_deliveries FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY lookup ON ibex.webhook_secrets FOR SELECT TO CURRENT_USER USING (true);

CREATE FUNCTION ibex.next_organization_to_notify(p_after uuid, p_at timestamptz) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT least(
        (
            SELECT o.org_id FROM ibex.outbox AS o
            WHERE o.org_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
            ORDER BY o.org_id
            LIMIT 1
        ),
        (
            SELECT d.org_id FROM ibex.webhook_deliveries AS d
            WHERE d.due_at <= p_at
                AND (d.claimed_until IS NULL OR d.claimed_until <= statement_timestamp())
                AND d.org_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
            ORDER BY d.org_id
            LIMIT 1
        )
    )
$$;
REVOKE ALL ON FUNCTION ibex.next_organization_to_notify(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ibex.next_organization_to_notify(uuid, timestamptz) TO ibex_service;
"""

POLICY = """
ALTER TABLE ibex.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.{table}
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);
"""

GRANTS = """
GRANT
    SELECT,
    DELETE,
    INSERT (org_id, id, url, description, events),
    UPDATE (url, description, events, status, reason, failing_since, failed_in_a_row, updated_at)
    ON ibex.webhooks TO ibex_service;
GRANT
    SELECT,
    DELETE,
    INSERT (org_id, webhook_id, id, sealed, key_id),
    UPDATE (sealed, key_id, expires_at)
    ON ibex.webhook_secrets TO ibex_service;
GRANT
    SELECT,
    DELETE,
    INSERT (org_id, id, webhook_id, event_id, type, at, data, due_at),
    UPDATE (status, attempts, attempts_before, due_at, claim, claimed_until, finished_at)
    ON ibex.webhook_deliveries TO ibex_service;
GRANT SELECT, INSERT ON ibex.webhook_attempts TO ibex_service;
"""


def upgrade() -> None:
    op.execute(WEBHOOKS)
    op.execute(DELIVERIES)
    for table in ("webhooks", "webhook_secrets", "webhook_deliveries", "webhook_attempts"):
        op.execute(POLICY.format(table=table))
    op.execute(LOOKUPS)
    op.execute(GRANTS)
