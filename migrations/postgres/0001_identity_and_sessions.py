"""Organizations, users, agents, tokens, sessions and their turns, audit.

Every tenant table carries `org_id` in its keys and has row security forced, with one policy for everybody:
the row's organization is the one set for the transaction. The role `ibex_service`, which serves requests,
owns nothing. The few look-ups that come before the tenant is known are SECURITY DEFINER functions that
return one row; only for them may the schema's owner read across organizations.
"""

from alembic import op

revision = "0001"
down_revision = None

ROLE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ibex_service') THEN
        CREATE ROLE ibex_service NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
        EXECUTE format('GRANT ibex_service TO %I WITH SET TRUE', current_user);
    END IF;
EXCEPTION
    -- Roles belong to the server: another of its databases may be migrated at this moment.
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

GRANT USAGE ON SCHEMA ibex TO ibex_service;
"""

TABLES = """
CREATE TABLE ibex.installation (
    name text PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE ibex.organizations (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ibex.users (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id),
    id uuid NOT NULL,
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 320),
    name text NOT NULL DEFAULT '' CHECK (length(name) <= 200),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX users_email ON ibex.users (org_id, lower(email));

CREATE TABLE ibex.agents (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id),
    id uuid NOT NULL,
    -- A slug never looks like an id, so that a reference names one agent only.
    slug text NOT NULL CHECK (
        slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'
        AND slug !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    ),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused')),
    config jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, slug)
);

CREATE TABLE ibex.tokens (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id),
    id uuid NOT NULL UNIQUE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    secret_hash bytea NOT NULL CHECK (length(secret_hash) = 32),
    permissions bigint NOT NULL CHECK (permissions >= 0),
    -- A bound token serves one agent only; an unbound one may have an agent for calls that name none.
    agent_id uuid,
    default_agent_id uuid,
    user_id uuid,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id),
    FOREIGN KEY (org_id, default_agent_id) REFERENCES ibex.agents (org_id, id),
    FOREIGN KEY (org_id, user_id) REFERENCES ibex.users (org_id, id),
    CHECK (agent_id IS NULL OR default_agent_id IS NULL)
);

CREATE TABLE ibex.sessions (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id),
    agent_id uuid NOT NULL,
    id text NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
    user_id text,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'ended')),
    turns bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    last_turn_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, agent_id, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id)
);
CREATE INDEX sessions_last_turn ON ibex.sessions (org_id, last_turn_at) WHERE status = 'active';

CREATE TABLE ibex.session_turns (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    agent_id uuid NOT NULL,
    session_id text NOT NULL,
    token_id uuid NOT NULL,
    user_id text,
    at timestamptz NOT NULL,
    operation text NOT NULL,
    provider text,
    model text,
    model_served text,
    streamed boolean NOT NULL,
    status smallint NOT NULL,
    outcome text NOT NULL,
    error_code text,
    finish_reason text,
    attempts smallint NOT NULL,
    request_bytes bigint NOT NULL,
    request_sha256 bytea NOT NULL,
    response_bytes bigint NOT NULL,
    response_sha256 bytea NOT NULL,
    input_tokens integer,
    cached_tokens integer,
    output_tokens integer,
    usage_source text NOT NULL CHECK (usage_source IN ('provider', 'estimated', 'none')),
    overhead_ms real NOT NULL,
    first_byte_ms real,
    latency_ms real NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, agent_id, session_id) REFERENCES ibex.sessions (org_id, agent_id, id)
);
CREATE INDEX session_turns_session ON ibex.session_turns (org_id, agent_id, session_id, id);

CREATE TABLE ibex.audit_events (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id),
    id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    action text NOT NULL,
    target text,
    outcome text NOT NULL CHECK (outcome IN ('success', 'refused', 'degraded')),
    request_id uuid,
    address inet,
    detail jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (org_id, id)
);
"""

TENANT_TABLES = ("users", "agents", "tokens", "sessions", "session_turns", "audit_events")

POLICY = """
ALTER TABLE ibex.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.{table}
    USING ({key} = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK ({key} = NULLIF(current_setting('app.current_org_id', true), '')::uuid);
"""

OWNER_MAY_LOOK_UP = """
CREATE POLICY lookup ON ibex.{table} FOR SELECT TO CURRENT_USER USING (true);
"""

APPEND_ONLY = """
CREATE FUNCTION ibex.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ibex.session_turns
    FOR EACH STATEMENT EXECUTE FUNCTION ibex.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ibex.audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION ibex.refuse_change();
"""

GRANTS = """
GRANT SELECT ON ibex.alembic_version TO ibex_service;
GRANT SELECT, INSERT ON ibex.installation, ibex.session_turns, ibex.audit_events TO ibex_service;
GRANT SELECT, INSERT, UPDATE ON ibex.organizations, ibex.users, ibex.agents, ibex.tokens, ibex.sessions
    TO ibex_service;
"""

LOOKUPS = """
CREATE FUNCTION ibex.find_organization(p_slug text)
RETURNS TABLE (id uuid, slug text, name text, status text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1 AS $$
    SELECT o.id, o.slug, o.name, o.status FROM ibex.organizations AS o WHERE o.slug = p_slug
$$;

CREATE FUNCTION ibex.next_organization(p_after uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.id FROM ibex.organizations AS o WHERE p_after IS NULL OR o.id > p_after ORDER BY o.id LIMIT 1
$$;

CREATE FUNCTION ibex.find_principal(p_token_id uuid, p_agent_id uuid, p_agent_slug text)
RETURNS TABLE (
    org_id uuid,
    org_status text,
    token_id uuid,
    secret_hash bytea,
    permissions bigint,
    user_id uuid,
    is_revoked boolean,
    expires_in double precision,
    bound_agent_id uuid,
    agent_id uuid,
    agent_slug text,
    agent_status text
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1 AS $$
    SELECT
        t.org_id,
        o.status,
        t.id,
        t.secret_hash,
        t.permissions,
        t.user_id,
        t.revoked_at IS NOT NULL,
        extract(epoch FROM t.expires_at - clock_timestamp())::double precision,
        t.agent_id,
        a.id,
        a.slug,
        a.status
    FROM ibex.tokens AS t
    JOIN ibex.organizations AS o ON o.id = t.org_id
    LEFT JOIN ibex.agents AS a
        ON a.org_id = t.org_id
        AND CASE
            WHEN p_agent_id IS NOT NULL THEN a.id = p_agent_id
            WHEN p_agent_slug IS NOT NULL THEN a.slug = p_agent_slug
            ELSE a.id = coalesce(t.agent_id, t.default_agent_id)
        END
    WHERE t.id = p_token_id
$$;

REVOKE ALL ON FUNCTION ibex.find_organization(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION ibex.next_organization(uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION ibex.find_principal(uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ibex.find_organization(text) TO ibex_service;
GRANT EXECUTE ON FUNCTION ibex.next_organization(uuid) TO ibex_service;
GRANT EXECUTE ON FUNCTION ibex.find_principal(uuid, uuid, text) TO ibex_service;
"""


def upgrade() -> None:
    op.execute(ROLE)
    op.execute(TABLES)
    op.execute(POLICY.format(table="organizations", key="id"))
    for table in TENANT_TABLES:
        op.execute(POLICY.format(table=table, key="org_id"))
    for table in ("organizations", "agents", "tokens"):
        op.execute(OWNER_MAY_LOOK_UP.format(table=table))
    op.execute(APPEND_ONLY)
    op.execute(GRANTS)
    op.execute(LOOKUPS)
