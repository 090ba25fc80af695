"""Memories with their versions, labels, relations, conflicts, feedback and vectors.

A partition is what is searched together: the memories of one agent, or of all agents of an organization,
about one end user or about none. Its revision grows by one with each change of one of its memories, under
the lock of its row: whoever has seen a revision has missed nothing before it.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

# Only a superuser may create it, and IBEX is not one.
PGVECTOR = """
DO $$
BEGIN
    IF to_regtype('halfvec') IS NULL THEN
        RAISE EXCEPTION 'pgvector 0.8 or newer is missing: let a superuser run CREATE EXTENSION vector here';
    END IF;
END
$$;
"""

PARTITIONS = """
CREATE TABLE ibex.memory_partitions (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id) ON DELETE CASCADE,
    id bigint GENERATED ALWAYS AS IDENTITY,
    -- NULL: shared by all agents of the organization.
    agent_id uuid,
    -- NULL: about no end user.
    user_id text CHECK (length(user_id) BETWEEN 1 AND 256),
    revision bigint NOT NULL DEFAULT 0,
    -- Grows when rows have gone for good: what a process remembers of before is to be read anew.
    epoch bigint NOT NULL DEFAULT 0,
    live bigint NOT NULL DEFAULT 0 CHECK (live >= 0),
    PRIMARY KEY (org_id, id),
    UNIQUE NULLS NOT DISTINCT (org_id, agent_id, user_id),
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE
);

ALTER TABLE ibex.organizations
    ADD COLUMN memory_pii text NOT NULL DEFAULT 'redact'
        CHECK (memory_pii IN ('allow', 'redact', 'quarantine'));
"""

MEMORIES = """
CREATE TABLE ibex.memories (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    partition_id bigint NOT NULL,
    revision bigint NOT NULL,
    version integer NOT NULL DEFAULT 1,
    -- Who wrote it, also when all agents share it.
    agent_id uuid NOT NULL,
    user_id text CHECK (length(user_id) BETWEEN 1 AND 256),
    session_id text CHECK (length(session_id) BETWEEN 1 AND 64),
    turn_id uuid,
    role text CHECK (length(role) <= 64),
    speaker text CHECK (length(speaker) <= 200),
    trace_id text CHECK (length(trace_id) <= 64),
    visibility text NOT NULL CHECK (visibility IN ('agent', 'org', 'session')),
    kind text NOT NULL
        CHECK (kind IN ('factual', 'preference', 'behavioral', 'episodic', 'procedural')),
    status text NOT NULL CHECK (
        status IN ('active', 'superseded', 'merged', 'archived', 'quarantined', 'deleted')
    ),
    content text NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 1048576),
    -- Of the normalised text and of what narrows its scope within the partition.
    content_hash bytea NOT NULL CHECK (length(content_hash) = 32),
    -- Stems, for candidates from partitions that are too large to be searched in a process.
    words tsvector NOT NULL,
    confidence real NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    risk real NOT NULL DEFAULT 0 CHECK (risk BETWEEN 0 AND 1),
    pinned boolean NOT NULL DEFAULT false,
    tags text[] NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}',
    observed_at timestamptz NOT NULL,
    valid_from timestamptz,
    valid_until timestamptz,
    -- A Beta posterior of whether it helps; it begins at its prior.
    helpful real NOT NULL DEFAULT 1 CHECK (helpful > 0),
    unhelpful real NOT NULL DEFAULT 1 CHECK (unhelpful > 0),
    uses bigint NOT NULL DEFAULT 0,
    last_used_at timestamptz,
    -- The version of its text that has a vector; 0 is none yet.
    embedded_version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, partition_id) REFERENCES ibex.memory_partitions (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, agent_id) REFERENCES ibex.agents (org_id, id) ON DELETE CASCADE,
    CHECK (valid_from IS NULL OR valid_until IS NULL OR valid_from <= valid_until)
);
CREATE INDEX memories_revision ON ibex.memories (org_id, partition_id, revision);
CREATE UNIQUE INDEX memories_once ON ibex.memories (org_id, partition_id, content_hash)
    WHERE status IN ('active', 'quarantined');
CREATE INDEX memories_agent ON ibex.memories (org_id, agent_id, id);
CREATE INDEX memories_session ON ibex.memories (org_id, agent_id, session_id, observed_at)
    WHERE session_id IS NOT NULL;
CREATE INDEX memories_pinned ON ibex.memories (org_id, partition_id) WHERE pinned AND status = 'active';
CREATE INDEX memories_to_embed ON ibex.memories (org_id, id)
    WHERE status = 'active' AND embedded_version < version;
"""

VERSIONS = """
CREATE TABLE ibex.memory_versions (
    org_id uuid NOT NULL,
    memory_id uuid NOT NULL,
    version integer NOT NULL,
    content text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    confidence real NOT NULL,
    pinned boolean NOT NULL,
    tags text[] NOT NULL,
    metadata jsonb NOT NULL,
    valid_from timestamptz,
    valid_until timestamptz,
    -- From when it says how things were: when it was observed, for a later version when it was written.
    effective_from timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL CHECK (length(action) <= 63),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, memory_id, version),
    FOREIGN KEY (org_id, memory_id) REFERENCES ibex.memories (org_id, id) ON DELETE CASCADE
);

-- Rows go only together with their memory.
CREATE FUNCTION ibex.refuse_change_of_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND pg_trigger_depth() > 1 THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ibex.memory_versions
    FOR EACH ROW EXECUTE FUNCTION ibex.refuse_change_of_version();
CREATE TRIGGER no_truncation BEFORE TRUNCATE ON ibex.memory_versions
    FOR EACH STATEMENT EXECUTE FUNCTION ibex.refuse_change();
"""

COMPANIONS = """
CREATE TABLE ibex.memory_labels (
    org_id uuid NOT NULL,
    memory_id uuid NOT NULL,
    label text NOT NULL CHECK (length(label) BETWEEN 1 AND 64),
    confidence real NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    PRIMARY KEY (org_id, memory_id, label),
    FOREIGN KEY (org_id, memory_id) REFERENCES ibex.memories (org_id, id) ON DELETE CASCADE
);

-- What a memory claims something about, as a digest: those with the same one may contradict each other. A
-- table and not a column, because row security lets no index of arrays be used.
CREATE TABLE ibex.memory_claims (
    org_id uuid NOT NULL,
    partition_id bigint NOT NULL,
    claim bytea NOT NULL CHECK (length(claim) = 16),
    memory_id uuid NOT NULL,
    PRIMARY KEY (org_id, partition_id, claim, memory_id),
    FOREIGN KEY (org_id, memory_id) REFERENCES ibex.memories (org_id, id) ON DELETE CASCADE
);
CREATE INDEX memory_claims_memory ON ibex.memory_claims (org_id, memory_id);

CREATE TABLE ibex.memory_relations (
    org_id uuid NOT NULL,
    memory_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('supersedes', 'merges', 'derives_from')),
    other_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, memory_id, kind, other_id),
    FOREIGN KEY (org_id, memory_id) REFERENCES ibex.memories (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, other_id) REFERENCES ibex.memories (org_id, id) ON DELETE CASCADE
);
-- Nothing is superseded twice: a chain has no fork.
CREATE UNIQUE INDEX memory_relations_chain ON ibex.memory_relations (org_id, other_id)
    WHERE kind = 'supersedes';
CREATE INDEX memory_relations_other ON ibex.memory_relations (org_id, other_id);

CREATE TABLE ibex.memory_conflicts (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    memory_id uuid NOT NULL,
    other_id uuid NOT NULL,
    reason text NOT NULL CHECK (length(reason) <= 500),
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'resolved')),
    created_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, memory_id, other_id),
    FOREIGN KEY (org_id, memory_id) REFERENCES ibex.memories (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, other_id) REFERENCES ibex.memories (org_id, id) ON DELETE CASCADE
);
CREATE INDEX memory_conflicts_open ON ibex.memory_conflicts (org_id, id) WHERE status = 'open';
CREATE INDEX memory_conflicts_other ON ibex.memory_conflicts (org_id, other_id);

CREATE TABLE ibex.memory_feedback (
    org_id uuid NOT NULL,
    id uuid NOT NULL,
    memory_id uuid NOT NULL,
    signal text NOT NULL CHECK (signal IN ('helpful', 'unhelpful')),
    weight real NOT NULL CHECK (weight > 0 AND weight <= 1),
    source text NOT NULL CHECK (length(source) <= 63),
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, memory_id) REFERENCES ibex.memories (org_id, id) ON DELETE CASCADE
);
CREATE INDEX memory_feedback_memory ON ibex.memory_feedback (org_id, memory_id, id);

-- What was erased for good, without any of it: a row for each memory that one certificate is about.
CREATE TABLE ibex.memory_erasures (
    org_id uuid NOT NULL REFERENCES ibex.organizations (id) ON DELETE CASCADE,
    memory_id uuid NOT NULL,
    id uuid NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    erased jsonb NOT NULL,
    PRIMARY KEY (org_id, memory_id, id)
);
"""

VECTORS = """
CREATE TABLE ibex.embedding_models (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    version text NOT NULL CHECK (length(version) <= 200),
    dimensions integer NOT NULL CHECK (dimensions BETWEEN 1 AND 4000),
    UNIQUE (name, version, dimensions)
);
INSERT INTO ibex.embedding_models (name, version, dimensions)
VALUES ('all-MiniLM-L6-v2', '53aa51172d14', 384);

CREATE TABLE ibex.memory_embeddings (
    org_id uuid NOT NULL,
    memory_id uuid NOT NULL,
    model_id smallint NOT NULL,
    partition_id bigint NOT NULL,
    version integer NOT NULL,
    embedding halfvec NOT NULL,
    signs bit varying NOT NULL GENERATED ALWAYS AS (binary_quantize(embedding)) STORED,
    PRIMARY KEY (org_id, memory_id, model_id),
    FOREIGN KEY (org_id, memory_id) REFERENCES ibex.memories (org_id, id) ON DELETE CASCADE
);
-- The signs of a partition are compared without a look at the table.
CREATE INDEX memory_embeddings_partition ON ibex.memory_embeddings (org_id, partition_id, model_id)
    INCLUDE (memory_id, signs);
-- With ef_construction at its default of 64, the recall of the nearest 10 of half of a million vectors is
-- 0.978 and not 0.997, however many candidates a search keeps.
CREATE INDEX memory_embeddings_1 ON ibex.memory_embeddings
    USING hnsw ((embedding::halfvec(384)) halfvec_cosine_ops) WITH (ef_construction = 200)
    WHERE model_id = 1;
"""

# The jobs that run for every organization find the next one that has work for them.
LOOKUPS = """
CREATE POLICY lookup ON ibex.memories FOR SELECT TO CURRENT_USER USING (true);

CREATE FUNCTION ibex.next_organization_to_embed(p_after uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.org_id FROM ibex.memories AS m
    WHERE m.status = 'active'
        AND m.embedded_version < m.version
        AND (p_after IS NULL OR m.org_id > p_after)
    ORDER BY m.org_id
    LIMIT 1
$$;
REVOKE ALL ON FUNCTION ibex.next_organization_to_embed(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ibex.next_organization_to_embed(uuid) TO ibex_service;
"""

# The index has the words of each partition apart, so that a search reads nothing of the others: what is a
# common word in a large table is in few memories of a small part of it. A hash with the partition as its seed
# does that in 8 bytes.
WORDS_OF_PARTITION = """
CREATE FUNCTION ibex.words_of_partition(partition_id bigint, words tsvector) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(hashtextextended(word, partition_id)), '{}')
    FROM unnest(tsvector_to_array(words)) AS word
$$;
-- Without a list of pending entries, which every search would have to read from beginning to end.
CREATE INDEX memories_words ON ibex.memories USING gin (ibex.words_of_partition(partition_id, words))
    WITH (fastupdate = off)
    WHERE status = 'active';
"""

# Row security lets no index of words be used, since matching them is not leakproof. This runs as the owner,
# who may read across organizations, and keeps to the organization by itself.
#
# A set is one or two words. Organization and partition are compared in a way that no index knows: Postgres
# would otherwise read the whole partition from another one, to intersect it with the few that have the words.
WORDS = """
CREATE FUNCTION ibex.memories_with_words(
    p_partition_ids bigint[], p_words text[], p_second_words text[], p_most integer, p_session_id text,
    p_kinds text[], p_tags_any text[], p_tags_all text[], p_labels text[], p_only_session text,
    p_observed_from timestamptz, p_observed_until timestamptz, p_min_confidence real, p_pinned boolean
)
RETURNS TABLE (number integer, memory_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT sought.number::integer, found.id
    FROM unnest(p_words, p_second_words) WITH ORDINALITY AS sought (word, second, number)
    CROSS JOIN unnest(p_partition_ids) AS partition (id)
    CROSS JOIN LATERAL (
        SELECT m.id
        FROM ibex.memories AS m
        WHERE ibex.words_of_partition(m.partition_id, m.words) @> ARRAY[
                hashtextextended(sought.word, partition.id),
                hashtextextended(coalesce(sought.second, sought.word), partition.id)
            ]
            AND m.status = 'active'
            AND m.org_id IS NOT DISTINCT FROM NULLIF(current_setting('app.current_org_id', true), '')::uuid
            AND m.partition_id IS NOT DISTINCT FROM partition.id
            AND (m.visibility <> 'session' OR m.session_id = p_session_id)
            AND (p_kinds IS NULL OR m.kind = ANY(p_kinds))
            AND (p_tags_any IS NULL OR m.tags && p_tags_any)
            AND (p_tags_all IS NULL OR m.tags @> p_tags_all)
            AND (p_only_session IS NULL OR m.session_id IS NOT DISTINCT FROM p_only_session)
            AND (p_observed_from IS NULL OR m.observed_at >= p_observed_from)
            AND (p_observed_until IS NULL OR m.observed_at < p_observed_until)
            AND (p_min_confidence IS NULL OR m.confidence >= p_min_confidence)
            AND (p_pinned IS NULL OR m.pinned = p_pinned)
            AND (
                p_labels IS NULL
                OR EXISTS (
                    SELECT FROM ibex.memory_labels AS l
                    WHERE l.org_id = m.org_id AND l.memory_id = m.id AND l.label = ANY(p_labels)
                )
            )
        LIMIT p_most
    ) AS found
$$;
REVOKE ALL ON FUNCTION ibex.memories_with_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ibex.memories_with_words TO ibex_service;
"""

TENANT_TABLES = (
    "memory_partitions",
    "memories",
    "memory_versions",
    "memory_labels",
    "memory_claims",
    "memory_relations",
    "memory_conflicts",
    "memory_feedback",
    "memory_erasures",
    "memory_embeddings",
)

POLICY = """
ALTER TABLE ibex.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ibex.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ibex.{table}
    USING (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('app.current_org_id', true), '')::uuid);
"""

GRANTS = """
GRANT UPDATE (memory_pii) ON ibex.organizations TO ibex_service;
GRANT SELECT, INSERT, UPDATE (revision, epoch, live) ON ibex.memory_partitions TO ibex_service;
GRANT SELECT, INSERT, DELETE ON ibex.memories TO ibex_service;
GRANT UPDATE (
    revision, version, kind, status, content, content_hash, words, confidence, risk, pinned, tags, metadata,
    valid_from, valid_until, helpful, unhelpful, uses, last_used_at, embedded_version, updated_at
) ON ibex.memories TO ibex_service;
GRANT SELECT, INSERT ON ibex.memory_versions, ibex.memory_feedback, ibex.memory_erasures TO ibex_service;
GRANT SELECT, INSERT, DELETE ON ibex.memory_labels, ibex.memory_claims, ibex.memory_relations TO ibex_service;
GRANT SELECT, INSERT, UPDATE (status, resolved_at) ON ibex.memory_conflicts TO ibex_service;
GRANT SELECT, INSERT ON ibex.embedding_models TO ibex_service;
GRANT SELECT, INSERT, DELETE, UPDATE (version, embedding) ON ibex.memory_embeddings TO ibex_service;
"""


def upgrade() -> None:
    op.execute(PGVECTOR)
    op.execute(PARTITIONS)
    op.execute(MEMORIES)
    op.execute(VERSIONS)
    op.execute(COMPANIONS)
    op.execute(VECTORS)
    for table in TENANT_TABLES:
        op.execute(POLICY.format(table=table))
    op.execute(LOOKUPS)
    op.execute(WORDS_OF_PARTITION)
    op.execute(WORDS)
    op.execute(GRANTS)
