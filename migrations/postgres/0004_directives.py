"""Directives: what agents are told at the front of every call, in versions that never change.

A version is written once, and moves through its life. At most one version of an agent is active, and at most
one more is being rolled out: it has a share of the sessions. A version whose place another one has taken may
keep the sessions that have it for a while.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

DIRECTIVES = """
CREATE TABLE ibex.directives (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    agent_id uuid NOT NULL,
    -- 1, 2, 3 … of its agent.
    number integer NOT NULL CHECK (number > 0),
    content text NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 32768),
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    mode text NOT NULL CHECK (mode IN ('system_first', 'system_append', 'user_prepend')),
    change_summary text NOT NULL CHECK (length(change_summary) <= 2000),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    status text NOT NULL CHECK (status IN ('draft', 'review', 'active', 'deprecated', 'revoked')),
    -- Of the sessions that begin while it is being rolled out; NULL: it is not.
    share double precision CHECK (share >= 0 AND share < 1),
    -- Until when sessions that have it keep it, although another one is active.
    kept_until timestamptz,
    -- Whether a rollback has ended it: nothing falls back to it by itself.
    is_rolled_back boolean NOT NULL DEFAULT false,
    -- Since when sessions can have it without a break.
    offered_at timestamptz,
    activated_at timestamptz,
    ended_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, agent_id, number),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE,
    CHECK (share IS NULL OR status IN ('review', 'deprecated')),
    CHECK (kept_until IS NULL OR status = 'deprecated'),
    CHECK (NOT is_rolled_back OR status IN ('deprecated', 'revoked'))
);
CREATE UNIQUE INDEX directives_active ON ibex.directives (org_id, agent_id) WHERE status = 'active';
CREATE UNIQUE INDEX directives_candidate ON ibex.directives (org_id, agent_id) WHERE share IS NOT NULL;
CREATE INDEX directives_in_use ON ibex.directives (org_id, agent_id)
    WHERE status = 'active' OR share IS NOT NULL OR kept_until IS NOT NULL;
CREATE INDEX directives_agent ON ibex.directives (org_id, agent_id, id);
"""

# They hold for whoever writes, the owner of the table included.
GUARDS = """
CREATE FUNCTION ibex.number_directive() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status NOT IN ('draft', 'review') OR NEW.share IS NOT NULL THEN
        RAISE EXCEPTION 'a directive begins as a draft or in review' USING ERRCODE = 'restrict_violation';
    END IF;
    -- Versions of an agent are written one after the other, so that their numbers have no gap.
    PERFORM 1 FROM ibex.agents AS a
    WHERE a.org_id = NEW.org_id AND a.id = NEW.agent_id
    FOR NO KEY UPDATE;
    SELECT coalesce(max(d.number), 0) + 1 INTO NEW.number
    FROM ibex.directives AS d
    WHERE d.org_id = NEW.org_id AND d.agent_id = NEW.agent_id;
    NEW.sha256 := sha256(convert_to(NEW.content, 'UTF8'));
    RETURN NEW;
END
$$;
CREATE TRIGGER number BEFORE INSERT ON ibex.directives
    FOR EACH ROW EXECUTE FUNCTION ibex.number_directive();

CREATE FUNCTION ibex.guard_directive() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    IF (OLD.org_id, OLD.id, OLD.agent_id, OLD.number, OLD.content, OLD.sha256)
        IS DISTINCT FROM (NEW.org_id, NEW.id, NEW.agent_id, NEW.number, NEW.content, NEW.sha256)
        OR (OLD.mode, OLD.change_summary, OLD.created_by, OLD.created_at)
        IS DISTINCT FROM (NEW.mode, NEW.change_summary, NEW.created_by, NEW.created_at)
    THEN
        RAISE EXCEPTION 'a directive never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('draft', 'review'),
        ('draft', 'revoked'),
        ('review', 'active'),
        ('review', 'revoked'),
        ('active', 'deprecated'),
        ('active', 'revoked'),
        ('deprecated', 'active'),
        ('deprecated', 'revoked')
    ) THEN
        RAISE EXCEPTION 'a directive that is % does not become %', OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status <> 'active' AND NEW.status = 'active' THEN
        NEW.activated_at := at;
    ELSIF OLD.status = 'active' AND NEW.status <> 'active' THEN
        NEW.ended_at := at;
    END IF;
    IF OLD.status <> 'revoked' AND NEW.status = 'revoked' THEN
        NEW.revoked_at := at;
    END IF;
    IF (NEW.status = 'active' OR NEW.share IS NOT NULL)
        AND NOT (OLD.status = 'active' OR OLD.share IS NOT NULL OR coalesce(OLD.kept_until > at, false))
    THEN
        NEW.offered_at := at;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE UPDATE ON ibex.directives
    FOR EACH ROW EXECUTE FUNCTION ibex.guard_directive();

-- Rows go only together with their agent.
CREATE FUNCTION ibex.refuse_removal_of_directive() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() > 1 THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'a directive is never removed' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER no_removal BEFORE DELETE ON ibex.directives
    FOR EACH ROW EXECUTE FUNCTION ibex.refuse_removal_of_directive();
CREATE TRIGGER no_truncation BEFORE TRUNCATE ON ibex.directives
    FOR EACH STATEMENT EXECUTE FUNCTION ibex.refuse_change();
"""

POLICY = """
ALTER TABLE ibex.directives ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.directives FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.directives
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);
"""

GRANTS = """
GRANT
    SELECT,
    INSERT (org_id, id, agent_id, content, mode, change_summary, created_by, status),
    UPDATE (status, share, kept_until, is_rolled_back)
    ON ibex.directives TO ibex_service;
"""


def upgrade() -> None:
    op.execute(DIRECTIVES)
    op.execute(GUARDS)
    op.execute(POLICY)
    op.execute(GRANTS)
