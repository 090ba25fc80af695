"""One record of each call, and what the calls of a day come to."""

from alembic import op

revision = "0009"
down_revision = "0008"

# Calls that belong to no conversation, such as embeddings, are turns of no session.
TURNS = """
ALTER TABLE ibex.session_turns ALTER COLUMN session_id DROP NOT NULL;
-- Not looked up for the rows that are there: each of them has a session, which has its agent.
ALTER TABLE ibex.session_turns ADD FOREIGN KEY (org_id, agent_id)
    REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE NOT VALID;
"""

# The tables are locked for a moment only, but whoever waits for a lock keeps everybody behind it waiting, and
# calls are served on while another version is installed. A start that fails for it is tried again.
PATIENCE = "SET LOCAL lock_timeout = '5s'"

# Counted in the transaction that writes the turn, so each call counts once.
USAGE = """
CREATE TABLE ibex.usage_days (
    org_id uuid NOT NULL,
    -- In UTC.
    day date NOT NULL,
    agent_id uuid NOT NULL,
    -- As it was asked for.
    model text NOT NULL,
    calls bigint NOT NULL CHECK (calls > 0),
    -- Those that failed, or whose answer broke off.
    errors bigint NOT NULL CHECK (errors >= 0),
    input_tokens bigint NOT NULL CHECK (input_tokens >= 0),
    cached_tokens bigint NOT NULL CHECK (cached_tokens >= 0),
    output_tokens bigint NOT NULL CHECK (output_tokens >= 0),
    -- In 1e-9 US dollars, of the calls whose price is known.
    cost_nano_usd bigint NOT NULL CHECK (cost_nano_usd >= 0),
    PRIMARY KEY (org_id, day, agent_id, model),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE
);

ALTER TABLE ibex.usage_days ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.usage_days FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.usage_days
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);

GRANT
    SELECT,
    INSERT,
    UPDATE (calls, errors, input_tokens, cached_tokens, output_tokens, cost_nano_usd)
    ON ibex.usage_days TO ibex_service;
"""

TRACES = """
CREATE TABLE ibex.traces (
    org_id uuid NOT NULL,
    -- The request's.
    id uuid NOT NULL,
    -- That of a trace which began outside, and may have more than one call; else the id without hyphens.
    trace_id text NOT NULL CHECK (length(trace_id) = 32),
    at timestamptz NOT NULL,
    agent_id uuid NOT NULL,
    session_id text,
    token_id uuid NOT NULL,
    user_id text,
    operation text NOT NULL,
    provider text,
    model text NOT NULL,
    model_served text,
    provider_fingerprint text,
    client text,
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
    usage_source text NOT NULL,
    -- 1e-9 US dollars.
    cost_nano_usd bigint,
    -- Milliseconds by the name of the step.
    steps jsonb NOT NULL,
    overhead_ms real NOT NULL,
    first_byte_ms real,
    latency_ms real NOT NULL,
    rung text,
    directive_id uuid,
    directive_number integer,
    memory_ids uuid[] NOT NULL,
    -- Null, as what is known of the answer's tools is none, when the answer was not read.
    answer_chars integer,
    tools text[] NOT NULL,
    refused boolean NOT NULL,
    PRIMARY KEY (org_id, at, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE
) PARTITION BY RANGE (at);
CREATE INDEX traces_agent ON ibex.traces (org_id, agent_id, at, id);
CREATE INDEX traces_session ON ibex.traces (org_id, session_id, at) WHERE session_id IS NOT NULL;
CREATE INDEX traces_id ON ibex.traces (org_id, id);
CREATE INDEX traces_trace ON ibex.traces (org_id, trace_id);

-- For what no other partition is there for: a trace is never refused for want of one.
CREATE TABLE ibex.traces_default PARTITION OF ibex.traces DEFAULT;

ALTER TABLE ibex.traces ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.traces FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.traces
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ibex.traces
    FOR EACH STATEMENT EXECUTE FUNCTION ibex.refuse_change();

-- Through the table as a whole and never through a partition, which has no row security of its own.
GRANT SELECT, INSERT ON ibex.traces TO ibex_service;
"""

# A partition is a week, from Monday in UTC, and named after it: few enough for a query to look at all of
# them, and nothing is kept for more than a week longer than it should be.
TRACE_PARTITIONS = """
-- Partitions from this week on; returns how many were made. What the default partition had of such a week
-- goes where it belongs.
CREATE FUNCTION ibex.create_trace_partitions(p_weeks_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    monday date := date_trunc('week', clock_timestamp() AT TIME ZONE 'UTC');
    since timestamptz;
    until timestamptz;
    partition text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(8, 464912389);
    FOR week IN 0 .. least(greatest(p_weeks_ahead, 0), 52) LOOP
        partition := 'traces_' || to_char(monday + 7 * week, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('ibex.' || partition) IS NOT NULL;
        since := (monday + 7 * week)::timestamp AT TIME ZONE 'UTC';
        until := since + interval '168 hours';
        -- To attach one takes a weaker lock than to create it in its place: calls go on being stored.
        EXECUTE format('CREATE TABLE ibex.%I (LIKE ibex.traces INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
            partition);
        EXECUTE format(
            'WITH moved AS (DELETE FROM ibex.traces_default WHERE at >= %L AND at < %L RETURNING *) '
            'INSERT INTO ibex.%I SELECT * FROM moved',
            since, until, partition);
        EXECUTE format('ALTER TABLE ibex.traces ATTACH PARTITION ibex.%I FOR VALUES FROM (%L) TO (%L)',
            partition, since, until);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- What is older than so many days, a week at a time; in a dry run nothing is dropped. `traces` is how many
-- there are in a partition, or about how many.
CREATE FUNCTION ibex.drop_trace_partitions(p_days integer, p_dry_run boolean)
RETURNS TABLE (week date, traces bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    oldest timestamptz := clock_timestamp() - make_interval(days => greatest(p_days, 1));
    partition record;
BEGIN
    PERFORM pg_advisory_xact_lock(8, 464912389);
    FOR partition IN
        SELECT c.relname, to_date(right(c.relname, 8), 'YYYYMMDD') AS monday, c.reltuples
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'ibex.traces'::regclass AND c.relname ~ '^traces_[0-9]{8}$'
        ORDER BY c.relname
    LOOP
        CONTINUE WHEN (partition.monday + 7)::timestamp AT TIME ZONE 'UTC' > oldest;
        week := partition.monday;
        traces := greatest(partition.reltuples, 0);
        IF NOT p_dry_run THEN
            EXECUTE format('DROP TABLE ibex.%I', partition.relname);
        END IF;
        RETURN NEXT;
    END LOOP;
    IF p_dry_run THEN
        SELECT count(*) INTO traces FROM ibex.traces_default WHERE at < oldest;
    ELSE
        DELETE FROM ibex.traces_default WHERE at < oldest;
        GET DIAGNOSTICS traces = ROW_COUNT;
    END IF;
    week := NULL;
    IF traces > 0 THEN
        RETURN NEXT;
    END IF;
END
$$;

REVOKE ALL ON FUNCTION ibex.create_trace_partitions(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION ibex.drop_trace_partitions(integer, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ibex.create_trace_partitions(integer) TO ibex_service;
GRANT EXECUTE ON FUNCTION ibex.drop_trace_partitions(integer, boolean) TO ibex_service;

SELECT ibex.create_trace_partitions(1);
"""


def upgrade() -> None:
    op.execute(PATIENCE)
    op.execute(TURNS)
    op.execute(USAGE)
    op.execute(TRACES)
    op.execute(TRACE_PARTITIONS)
