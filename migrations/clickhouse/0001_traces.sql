-- One record of each call. What is written twice is one row: rows with the same key are merged, and read as one
-- until then. Retention is a matter of the setting `trace_days`, which replaces the days below.
CREATE TABLE IF NOT EXISTS traces (
    org_id UUID,
    agent_id UUID,
    at DateTime64(6, 'UTC'),
    -- The request's, as text, because ClickHouse sorts ids by their second half.
    id FixedString(36),
    trace_id FixedString(32),
    session_id Nullable(String),
    token_id UUID,
    user_id Nullable(String),
    operation LowCardinality(String),
    provider LowCardinality(Nullable(String)),
    model LowCardinality(String),
    model_served LowCardinality(Nullable(String)),
    provider_fingerprint LowCardinality(Nullable(String)),
    client LowCardinality(Nullable(String)),
    streamed Bool,
    status UInt16,
    outcome LowCardinality(String),
    error_code LowCardinality(Nullable(String)),
    finish_reason LowCardinality(Nullable(String)),
    attempts UInt16,
    request_bytes UInt64,
    request_sha256 FixedString(64),
    response_bytes UInt64,
    response_sha256 FixedString(64),
    input_tokens Nullable(UInt32),
    cached_tokens Nullable(UInt32),
    output_tokens Nullable(UInt32),
    usage_source LowCardinality(String),
    cost_nano_usd Nullable(UInt64),
    steps Map(LowCardinality(String), Float32),
    overhead_ms Float32,
    first_byte_ms Nullable(Float32),
    latency_ms Float32,
    rung LowCardinality(Nullable(String)),
    directive_id Nullable(UUID),
    directive_number Nullable(UInt32),
    memory_ids Array(UUID),
    answer_chars Nullable(UInt32),
    tools Array(LowCardinality(String)),
    refused Bool,
    INDEX by_id id TYPE bloom_filter GRANULARITY 4,
    INDEX by_trace trace_id TYPE bloom_filter GRANULARITY 4,
    INDEX by_session session_id TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PARTITION BY toMonday(at)
ORDER BY (org_id, agent_id, at, id)
TTL toDateTime(at) + toIntervalDay(90);
