"""Roles, networks, platform rights, a log of changes, sealed credentials, limits, a chained audit, erasure.

What is read before the tenant is known, or written for the whole installation, goes through SECURITY DEFINER
functions. They tell ids and numbers, never another organization's rows.

The role that serves may change the columns that it changes and no others, and triggers bound how. They do not
bind the owner of the tables, who could take them away.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

ORGANIZATIONS = """
ALTER TABLE ibex.organizations
    DROP CONSTRAINT organizations_status_check,
    ADD CONSTRAINT organizations_status_check CHECK (status IN ('active', 'suspended', 'deleting')),
    ADD COLUMN allows_caller_keys boolean NOT NULL DEFAULT false,
    -- Once this has passed, an organization that is being deleted is erased.
    ADD COLUMN delete_after timestamptz,
    ADD CONSTRAINT organizations_delete_after CHECK ((status = 'deleting') = (delete_after IS NOT NULL));

ALTER TABLE ibex.users
    DROP CONSTRAINT users_status_check,
    ADD CONSTRAINT users_status_check CHECK (status IN ('active', 'suspended', 'removed')),
    ADD COLUMN role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE ibex.tokens
    -- Rights over the installation, which no organization can grant by itself.
    ADD COLUMN platform integer NOT NULL DEFAULT 0 CHECK (platform >= 0),
    -- Empty: from anywhere.
    ADD COLUMN allowed_networks cidr[] NOT NULL DEFAULT '{}' CHECK (cardinality(allowed_networks) <= 64),
    ADD COLUMN replaced_by uuid;
-- How many of an organization are valid is counted whenever one is made.
CREATE INDEX tokens_valid ON ibex.tokens (org_id, expires_at) WHERE revoked_at IS NULL;
"""

CHANGES = """
CREATE TABLE ibex.changes (
    number bigint PRIMARY KEY,
    -- Every process reads every entry.
    kind text NOT NULL CHECK (length(kind) <= 63),
    subject uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX changes_at ON ibex.changes (at);

-- Numbers are given in the order of commits, because the lock is held until the end of the transaction:
-- whoever has read up to a number has missed nothing before it.
CREATE FUNCTION ibex.note_change(p_kind text, p_subject uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    assigned bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(8, 464912387);
    INSERT INTO ibex.changes (number, kind, subject)
    SELECT coalesce(max(number), 0) + 1, p_kind, p_subject FROM ibex.changes
    RETURNING number INTO assigned;
    -- The oldest go first, whatever the clock did, so that what is left has no gap.
    DELETE FROM ibex.changes
    WHERE number < assigned
        AND number <= (SELECT max(number) FROM ibex.changes WHERE at < clock_timestamp() - interval '1 hour');
    RETURN assigned;
END
$$;

-- One row: the newest entry, and what has changed after the one that is given, which is named by its number
-- and its time, because a database that was restored gives the same numbers again. When that entry is not in
-- the log, or more than a thousand came after it, anything may have changed.
CREATE FUNCTION ibex.changes_after(p_number bigint, p_at timestamptz)
RETURNS TABLE (latest bigint, latest_at timestamptz, is_complete boolean, kinds text[], subjects uuid[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1 AS $$
    WITH newest AS (
        SELECT coalesce(max(c.number), 0) AS number FROM ibex.changes AS c
    ),
    news AS (
        SELECT c.number, c.kind, c.subject FROM ibex.changes AS c
        WHERE c.number > p_number
        ORDER BY c.number
        LIMIT 1000
    )
    SELECT
        newest.number,
        (SELECT c.at FROM ibex.changes AS c WHERE c.number = newest.number),
        newest.number - p_number <= 1000 AND CASE
            WHEN p_number = 0 THEN coalesce((SELECT min(c.number) FROM ibex.changes AS c), 1) = 1
            ELSE EXISTS (SELECT FROM ibex.changes AS c WHERE c.number = p_number AND c.at = p_at)
        END,
        ARRAY(SELECT news.kind FROM news ORDER BY news.number),
        ARRAY(SELECT news.subject FROM news ORDER BY news.number)
    FROM newest
$$;
"""

CREDENTIALS = """
CREATE TABLE ibex.provider_credentials (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id),
    provider text NOT NULL CHECK (length(provider) BETWEEN 1 AND 63),
    -- AES-256-GCM: nonce, ciphertext and tag; bound to its organization, provider and key id.
    sealed bytea NOT NULL,
    key_id text NOT NULL,
    hint text NOT NULL CHECK (length(hint) <= 8),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, provider)
);

-- Which master keys are needed to open what is stored.
CREATE FUNCTION ibex.credential_key_ids() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT c.key_id ORDER BY c.key_id), '{}') FROM ibex.provider_credentials AS c
$$;
"""

LIMITS = """
CREATE TABLE ibex.limit_overrides (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id),
    id uuid NOT NULL,
    scope text NOT NULL CHECK (scope IN ('organization', 'agent', 'token', 'end_user')),
    -- An id, an end user's name, or '*' for every one that has no override of its own.
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 256),
    requests_per_minute integer CHECK (requests_per_minute >= 0),
    tokens_per_minute bigint CHECK (tokens_per_minute >= 0),
    concurrent_requests integer CHECK (concurrent_requests >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, scope, subject),
    CHECK (num_nonnulls(requests_per_minute, tokens_per_minute, concurrent_requests) > 0)
);
"""

AUDIT = """
CREATE TABLE ibex.audit_chains (
    org_id uuid PRIMARY KEY REFERENCES ibex.organizations (id),
    number bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32)
);

ALTER TABLE ibex.audit_events
    ADD COLUMN number bigint,
    ADD COLUMN previous_hash bytea,
    ADD COLUMN hash bytea,
    DROP CONSTRAINT audit_events_outcome_check,
    ADD CONSTRAINT audit_events_outcome_check CHECK (outcome IN ('success', 'refused', 'degraded'));
-- What is hashed is the text that was written, not what a database makes of it.
ALTER TABLE ibex.audit_events ALTER COLUMN detail DROP DEFAULT;
ALTER TABLE ibex.audit_events ALTER COLUMN detail TYPE text USING detail::text;
ALTER TABLE ibex.audit_events ALTER COLUMN detail SET DEFAULT '{}';
ALTER TABLE ibex.audit_events
    ADD CONSTRAINT audit_events_detail CHECK (detail IS JSON OBJECT WITH UNIQUE KEYS);

-- Every field as `<length in bytes>:<text>`, an absent one as `-`, so that no two events read the same.
CREATE FUNCTION ibex.audit_text(p_event ibex.audit_events) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(
        coalesce(octet_length(convert_to(field, 'UTF8')) || ':' || field, '-'), ',' ORDER BY position
    )
    FROM unnest(ARRAY[
        p_event.org_id::text,
        p_event.number::text,
        p_event.id::text,
        to_char(p_event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        p_event.actor,
        p_event.action,
        p_event.target,
        p_event.outcome,
        p_event.request_id::text,
        abbrev(p_event.address),
        p_event.detail
    ]) WITH ORDINALITY AS fields (field, position)
$$;

-- The server's clock and the row before decide; nobody who may insert can leave the chain out. An event that
-- is stored already (the answer to an earlier try was lost) is left as it is; another one under its id is
-- refused, lest it vanish.
CREATE FUNCTION ibex.chain_audit_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head ibex.audit_chains;
    stored ibex.audit_events;
BEGIN
    INSERT INTO ibex.audit_chains (org_id, number, hash)
    VALUES (NEW.org_id, 0, sha256(NEW.org_id::text::bytea))
    ON CONFLICT (org_id) DO NOTHING;
    SELECT * INTO head FROM ibex.audit_chains WHERE org_id = NEW.org_id FOR UPDATE;
    -- Planned anew each time: a plan made while the table was empty may be that of a walk through all of it.
    EXECUTE 'SELECT * FROM ibex.audit_events WHERE org_id = $1 AND id = $2' INTO stored
    USING NEW.org_id, NEW.id;
    IF stored.id IS NOT NULL THEN
        IF (stored.actor, stored.action, stored.target, stored.outcome)
            IS DISTINCT FROM (NEW.actor, NEW.action, NEW.target, NEW.outcome)
            OR (stored.request_id, stored.address, stored.detail)
            IS DISTINCT FROM (NEW.request_id, NEW.address, NEW.detail)
        THEN
            RAISE EXCEPTION 'another event has the id %', NEW.id USING ERRCODE = 'unique_violation';
        END IF;
        RETURN NULL;
    END IF;
    NEW.number := head.number + 1;
    NEW.at := clock_timestamp();
    NEW.previous_hash := head.hash;
    NEW.hash := sha256(head.hash || convert_to(ibex.audit_text(NEW), 'UTF8'));
    UPDATE ibex.audit_chains SET number = NEW.number, hash = NEW.hash WHERE org_id = NEW.org_id;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION ibex.chain_audit_event() FROM PUBLIC;
"""

# Events from before there was a chain are chained in the order of their ids, with the times they have. Their
# details get the spelling that later ones have: keys in order, no spaces.
CHAIN_OLD_EVENTS = """
ALTER TABLE ibex.audit_events DISABLE TRIGGER append_only;
ALTER TABLE ibex.audit_events NO FORCE ROW LEVEL SECURITY;
ALTER TABLE ibex.audit_chains NO FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
    event ibex.audit_events;
    head ibex.audit_chains;
BEGIN
    FOR event IN SELECT * FROM ibex.audit_events ORDER BY org_id, id LOOP
        INSERT INTO ibex.audit_chains VALUES (event.org_id, 0, sha256(event.org_id::text::bytea))
        ON CONFLICT (org_id) DO NOTHING;
        SELECT * INTO head FROM ibex.audit_chains WHERE org_id = event.org_id;
        SELECT '{' || coalesce(
            string_agg(to_json(key) || ':' || value, ',' ORDER BY key COLLATE "C"), ''
        ) || '}'
        INTO event.detail
        FROM jsonb_each(event.detail::jsonb);
        event.number := head.number + 1;
        event.previous_hash := head.hash;
        event.hash := sha256(head.hash || convert_to(ibex.audit_text(event), 'UTF8'));
        UPDATE ibex.audit_events
        SET detail = event.detail, number = event.number, previous_hash = event.previous_hash,
            hash = event.hash
        WHERE org_id = event.org_id AND id = event.id;
        UPDATE ibex.audit_chains SET number = event.number, hash = event.hash WHERE org_id = event.org_id;
    END LOOP;
END
$$;
ALTER TABLE ibex.audit_events FORCE ROW LEVEL SECURITY;
ALTER TABLE ibex.audit_chains FORCE ROW LEVEL SECURITY;
ALTER TABLE ibex.audit_events ENABLE TRIGGER append_only;

ALTER TABLE ibex.audit_events
    ALTER COLUMN number SET NOT NULL,
    ALTER COLUMN previous_hash SET NOT NULL,
    ALTER COLUMN hash SET NOT NULL,
    ADD UNIQUE (org_id, number);
CREATE INDEX audit_events_at ON ibex.audit_events (org_id, at);
CREATE TRIGGER chain BEFORE INSERT ON ibex.audit_events
    FOR EACH ROW EXECUTE FUNCTION ibex.chain_audit_event();
"""

ERASURE = """
CREATE TABLE ibex.erasures (
    organization uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);

-- References into an organization's rows go with them, and only `erase_organization` may take them along.
DO $$
DECLARE
    reference record;
BEGIN
    FOR reference IN
        SELECT conrelid::regclass AS on_table, conname, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint
        WHERE contype = 'f' AND connamespace = 'ibex'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s ON DELETE CASCADE',
            reference.on_table, reference.conname, reference.conname, reference.definition);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION ibex.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('ibex.erasing', true) = 'yes' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION ibex.erase_organization(p_id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before text := current_setting('app.current_org_id', true);
    is_erased boolean;
BEGIN
    PERFORM set_config('app.current_org_id', p_id::text, true);
    PERFORM set_config('ibex.erasing', 'yes', true);
    -- One that another process is erasing at this moment is left to it.
    DELETE FROM ibex.organizations
    WHERE status = 'deleting'
        AND delete_after <= clock_timestamp()
        AND id = (SELECT o.id FROM ibex.organizations AS o WHERE o.id = p_id FOR UPDATE SKIP LOCKED);
    is_erased := FOUND;
    IF is_erased THEN
        INSERT INTO ibex.erasures (organization) VALUES (p_id);
    END IF;
    PERFORM set_config('ibex.erasing', '', true);
    PERFORM set_config('app.current_org_id', coalesce(before, ''), true);
    RETURN is_erased;
END
$$;

CREATE FUNCTION ibex.next_organization_to_erase(p_after uuid) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.id FROM ibex.organizations AS o
    WHERE o.status = 'deleting'
        AND o.delete_after <= clock_timestamp()
        AND (p_after IS NULL OR o.id > p_after)
    ORDER BY o.id
    LIMIT 1
$$;

-- Whether nobody could administer organizations any more over REST if this one were gone. Two that are asked
-- about at once are asked about one after the other, up to the end of the transaction.
CREATE FUNCTION ibex.is_last_with_platform_rights(p_id uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holders uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock(8, 464912388);
    SELECT array_agg(DISTINCT t.org_id) INTO holders
    FROM ibex.tokens AS t
    JOIN ibex.organizations AS o ON o.id = t.org_id AND o.status = 'active'
    LEFT JOIN ibex.users AS u ON u.org_id = t.org_id AND u.id = t.user_id
    WHERE t.platform & 1 <> 0
        AND t.revoked_at IS NULL
        AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
        AND (t.user_id IS NULL OR u.status = 'active');
    RETURN coalesce(holders = ARRAY[p_id], false);
END
$$;
"""

GUARDS = """
CREATE FUNCTION ibex.is_owner_of(p_table oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_has_role(current_user, c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = p_table
$$;

-- Whoever serves cannot have an organization erased at once, whatever it writes: there is a day at least to
-- notice it, and to resume.
CREATE FUNCTION ibex.keep_grace_period() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT ibex.is_owner_of(TG_RELID) THEN
        NEW.delete_after := greatest(NEW.delete_after, CASE OLD.status
            WHEN 'deleting' THEN OLD.delete_after
            ELSE clock_timestamp() + interval '1 day'
        END);
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER grace_period BEFORE UPDATE ON ibex.organizations
    FOR EACH ROW WHEN (NEW.status = 'deleting') EXECUTE FUNCTION ibex.keep_grace_period();

CREATE FUNCTION ibex.refuse_more_for_a_token() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (
        NEW.platform & ~OLD.platform <> 0
        OR OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at
        OR OLD.replaced_by IS NOT NULL AND NEW.replaced_by IS DISTINCT FROM OLD.replaced_by
        OR coalesce(NEW.expires_at, 'infinity') > coalesce(OLD.expires_at, 'infinity')
    ) AND NOT ibex.is_owner_of(TG_RELID) THEN
        RAISE EXCEPTION 'a token that exists is given no more' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER no_more BEFORE UPDATE ON ibex.tokens
    FOR EACH ROW EXECUTE FUNCTION ibex.refuse_more_for_a_token();

-- Behind the same checks in the service, against a mistake in them. Who makes an organization makes its first
-- token, which may do everything there. A token without a creator comes from the machine itself.
CREATE FUNCTION ibex.refuse_more_than_the_creator_has() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    creator ibex.tokens;
BEGIN
    SELECT * INTO creator FROM ibex.tokens WHERE id = NEW.created_by;
    IF creator.org_id IS DISTINCT FROM NEW.org_id THEN
        IF creator.id IS NULL OR creator.platform & 1 = 0 OR NEW.platform <> 0 THEN
            RAISE EXCEPTION 'the creator of a token is of another organization'
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    ELSIF NEW.permissions & ~creator.permissions <> 0
        OR NEW.platform & ~creator.platform <> 0
        OR creator.agent_id IS NOT NULL AND NEW.agent_id IS DISTINCT FROM creator.agent_id
    THEN
        RAISE EXCEPTION 'a token can grant no more than its creator holds'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION ibex.refuse_more_than_the_creator_has() FROM PUBLIC;
CREATE TRIGGER within_its_creator BEFORE INSERT ON ibex.tokens
    FOR EACH ROW WHEN (NEW.created_by IS NOT NULL)
    EXECUTE FUNCTION ibex.refuse_more_than_the_creator_has();
"""

LOOKUPS = """
DROP FUNCTION ibex.find_principal(uuid, uuid, text);
CREATE FUNCTION ibex.find_principal(p_token_id uuid, p_agent_id uuid, p_agent_slug text)
RETURNS TABLE (
    org_id uuid,
    org_status text,
    allows_caller_keys boolean,
    token_id uuid,
    secret_hash bytea,
    permissions bigint,
    platform integer,
    allowed_networks text[],
    is_revoked boolean,
    expires_at timestamptz,
    expires_in double precision,
    user_id uuid,
    user_role text,
    user_status text,
    bound_agent_id uuid,
    agent_id uuid,
    agent_slug text,
    agent_status text
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1 AS $$
    SELECT
        t.org_id,
        o.status,
        o.allows_caller_keys,
        t.id,
        t.secret_hash,
        t.permissions,
        t.platform,
        t.allowed_networks::text[],
        t.revoked_at IS NOT NULL,
        t.expires_at,
        extract(epoch FROM t.expires_at - clock_timestamp())::double precision,
        t.user_id,
        u.role,
        u.status,
        t.agent_id,
        a.id,
        a.slug,
        a.status
    FROM ibex.tokens AS t
    JOIN ibex.organizations AS o ON o.id = t.org_id
    LEFT JOIN ibex.users AS u ON u.org_id = t.org_id AND u.id = t.user_id
    LEFT JOIN ibex.agents AS a
        ON a.org_id = t.org_id
        AND CASE
            WHEN p_agent_id IS NOT NULL THEN a.id = p_agent_id
            WHEN p_agent_slug IS NOT NULL THEN a.slug = p_agent_slug
            ELSE a.id = coalesce(t.agent_id, t.default_agent_id)
        END
    WHERE t.id = p_token_id
$$;
"""

TENANT_TABLES = ("provider_credentials", "limit_overrides", "audit_chains")

POLICY = """
ALTER TABLE ibex.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.{table}
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);
"""

OWNER_MAY_LOOK_UP = """
CREATE POLICY lookup ON ibex.{table} FOR SELECT TO CURRENT_USER USING (true);
"""

FUNCTIONS = (
    "note_change(text, uuid)",
    "changes_after(bigint, timestamptz)",
    "credential_key_ids()",
    "erase_organization(uuid)",
    "next_organization_to_erase(uuid)",
    "is_last_with_platform_rights(uuid)",
    "find_principal(uuid, uuid, text)",
)

GRANTS = """
REVOKE INSERT, UPDATE ON
    ibex.organizations, ibex.users, ibex.agents, ibex.tokens, ibex.sessions, ibex.audit_events
    FROM ibex_service;

GRANT
    INSERT (id, slug, name),
    UPDATE (name, status, allows_caller_keys, delete_after)
    ON ibex.organizations TO ibex_service;
GRANT
    INSERT (org_id, id, email, name, role),
    UPDATE (email, name, role, status, updated_at)
    ON ibex.users TO ibex_service;
GRANT
    INSERT (org_id, id, slug, name, description, config),
    UPDATE (name, description, config, status, updated_at)
    ON ibex.agents TO ibex_service;
GRANT
    INSERT (
        org_id, id, name, secret_hash, permissions, platform, agent_id, default_agent_id, user_id,
        allowed_networks, created_by, expires_at
    ),
    UPDATE (platform, expires_at, revoked_at, replaced_by)
    ON ibex.tokens TO ibex_service;
GRANT
    INSERT (org_id, agent_id, id, user_id, turns, started_at, last_turn_at),
    UPDATE (user_id, status, turns, last_turn_at)
    ON ibex.sessions TO ibex_service;
GRANT INSERT (org_id, id, actor, action, target, outcome, request_id, address, detail)
    ON ibex.audit_events TO ibex_service;
GRANT
    SELECT,
    INSERT (org_id, provider, sealed, key_id, hint),
    UPDATE (sealed, key_id, hint, updated_at),
    DELETE
    ON ibex.provider_credentials TO ibex_service;
GRANT
    SELECT,
    INSERT (org_id, id, scope, subject, requests_per_minute, tokens_per_minute, concurrent_requests),
    UPDATE (requests_per_minute, tokens_per_minute, concurrent_requests, updated_at),
    DELETE
    ON ibex.limit_overrides TO ibex_service;
GRANT SELECT ON ibex.audit_chains TO ibex_service;
"""


def upgrade() -> None:
    op.execute(ORGANIZATIONS)
    op.execute(CHANGES)
    op.execute(CREDENTIALS)
    op.execute(LIMITS)
    op.execute(AUDIT)
    for table in TENANT_TABLES:
        op.execute(POLICY.format(table=table))
    for table in ("users", "provider_credentials"):
        op.execute(OWNER_MAY_LOOK_UP.format(table=table))
    op.execute(CHAIN_OLD_EVENTS)
    op.execute(ERASURE)
    op.execute(GUARDS)
    op.execute(LOOKUPS)
    op.execute(GRANTS)
    for function in FUNCTIONS:
        op.execute(f"REVOKE ALL ON FUNCTION ibex.{function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION ibex.{function} TO ibex_service")
