"""Walks Postgres's catalogue for ways round row security."""

import re

from psycopg import Connection

SERVICE = "ibex_service"
_TENANT = "NULLIF(current_setting('app.current_org_id'::text, true), ''::text))::uuid"

_TENANT_TABLES = """
SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity,
       CASE WHEN c.relname = 'organizations' THEN 'id' ELSE 'org_id' END
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'ibex' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND (
    c.relname = 'organizations'
    OR EXISTS (SELECT FROM pg_attribute AS a
               WHERE a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped)
)
ORDER BY c.relname
"""

_POLICIES = """
SELECT p.polname, p.polpermissive, p.polcmd = '*', p.polroles = '{0}'::oid[],
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid),
       p.polcmd = 'r' AND p.polroles = ARRAY[c.relowner]
FROM pg_policy AS p
JOIN pg_class AS c ON c.oid = p.polrelid
WHERE p.polrelid = %s
"""

# Views run with their owner's rights unless told otherwise, and materialized ones hold copies of rows.
_VIEWS = """
SELECT c.relname FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'ibex' AND (
    c.relkind = 'm'
    OR c.relkind = 'v' AND NOT coalesce(c.reloptions @> ARRAY['security_invoker=true'], false)
)
"""

_OWNED = """
SELECT c.relkind::text || ' ' || c.relname FROM pg_class AS c WHERE c.relowner = %(role)s::regrole
UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE proowner = %(role)s::regrole
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspowner = %(role)s::regrole
UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typowner = %(role)s::regrole
UNION ALL SELECT 'database ' || datname FROM pg_database WHERE datdba = %(role)s::regrole
"""

# Every role that the service is or may become, directly or through another.
_DANGEROUS_ROLES = """
SELECT r.rolname FROM pg_roles AS r
WHERE pg_has_role(%(role)s, r.oid, 'MEMBER') AND (
    r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
    OR r.rolname LIKE 'pg\\_%%'
    OR EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
               WHERE n.nspname = 'ibex' AND c.relowner = r.oid)
)
"""

# Everything that the service may do, so that whoever grants more has to say so here: a command is for the
# columns that follow it, or for all of them. A table that is not named it may not touch.
_GRANTED = """
alembic_version: SELECT
audit_chains: SELECT
audit_events: SELECT; INSERT org_id id actor action target outcome request_id address detail
agents: SELECT; INSERT org_id id slug name description config;
    UPDATE name description config status updated_at
context_receipts: SELECT; INSERT
dead_letters: SELECT; INSERT; DELETE
drift_alerts: SELECT; INSERT;
    UPDATE severity features suspended_agent status acknowledged_by acknowledged_at closed_by closed_at
drift_baselines: SELECT; INSERT
drift_blocks: SELECT; INSERT; DELETE
drift_detectors: SELECT; INSERT org_id agent_id directive_number baseline_id recent;
    UPDATE calls learns_from watches_from baseline_id recent blocks tolerance updated_at
drift_fingerprints: SELECT; INSERT; DELETE
directives: SELECT; INSERT org_id id agent_id content mode change_summary created_by status;
    UPDATE status share kept_until is_rolled_back
installation: SELECT; INSERT
limit_overrides: SELECT; DELETE;
    INSERT org_id id scope subject requests_per_minute tokens_per_minute concurrent_requests
        requests_per_month tokens_per_month nano_usd_per_month;
    UPDATE requests_per_minute tokens_per_minute concurrent_requests requests_per_month tokens_per_month
        nano_usd_per_month updated_at
limit_notices: SELECT; INSERT; DELETE
embedding_models: SELECT; INSERT
memories: SELECT; INSERT; DELETE;
    UPDATE revision version kind status content content_hash words confidence risk pinned tags metadata
        valid_from valid_until helpful unhelpful uses last_used_at embedded_version updated_at
memory_claims: SELECT; INSERT; DELETE
memory_conflicts: SELECT; INSERT; UPDATE status resolved_at
memory_embeddings: SELECT; INSERT; DELETE; UPDATE version embedding
memory_erasures: SELECT; INSERT
memory_feedback: SELECT; INSERT
memory_labels: SELECT; INSERT; DELETE
memory_partitions: SELECT; INSERT; UPDATE revision epoch live
memory_relations: SELECT; INSERT; DELETE
memory_versions: SELECT; INSERT
organizations: SELECT; INSERT id slug name;
    UPDATE name status allows_caller_keys delete_after memory_pii memory_capture store_content
        content_days
outbox: SELECT; INSERT; DELETE
provider_credentials: SELECT; DELETE; INSERT org_id provider sealed key_id hint;
    UPDATE sealed key_id hint updated_at
session_archives: SELECT; INSERT; DELETE
session_contents: SELECT; INSERT; DELETE
session_turns: SELECT; INSERT
sessions: SELECT; INSERT org_id agent_id id user_id turns started_at last_turn_at;
    UPDATE user_id status turns last_turn_at
traces: SELECT; INSERT
tokens: SELECT; INSERT org_id id name secret_hash permissions platform agent_id default_agent_id user_id
        allowed_networks created_by expires_at;
    UPDATE platform expires_at revoked_at replaced_by
webhook_attempts: SELECT; INSERT
webhook_deliveries: SELECT; DELETE; INSERT org_id id webhook_id event_id type at data due_at;
    UPDATE status attempts attempts_before due_at claim claimed_until finished_at
webhook_secrets: SELECT; DELETE; INSERT org_id webhook_id id sealed key_id; UPDATE sealed key_id expires_at
webhooks: SELECT; DELETE; INSERT org_id id url description events;
    UPDATE url description events status reason failing_since failed_in_a_row updated_at
usage_days: SELECT; INSERT;
    UPDATE calls errors input_tokens cached_tokens output_tokens cost_nano_usd
usage_months: SELECT; INSERT; UPDATE requests tokens cost_nano_usd
users: SELECT; INSERT org_id id email name role; UPDATE email name role status updated_at
"""
# All of them look up or note something for whoever serves; those that are triggers nobody calls.
_EXECUTABLE = (
    "changes_after(bigint,timestamp with time zone)",
    "create_trace_partitions(integer)",
    "credential_key_ids()",
    "drop_trace_partitions(integer,boolean)",
    "erase_organization(uuid)",
    "find_organization(text)",
    "find_principal(uuid,uuid,text)",
    "is_last_with_platform_rights(uuid)",
    (
        "memories_with_words(bigint[],text[],text[],integer,text,text[],text[],text[],text[],text,"
        "timestamp with time zone,timestamp with time zone,real,boolean)"
    ),
    "next_organization(uuid)",
    "next_organization_to_embed(uuid)",
    "next_organization_to_erase(uuid)",
    "next_organization_to_notify(uuid,timestamp with time zone)",
    "note_change(text,uuid)",
)

# Those of everybody are the service's too. A privilege that may be passed on is more than the privilege.
_PRIVILEGES = """
SELECT c.relname || ' ' || a.privilege_type || CASE WHEN a.is_grantable THEN ' to pass on' ELSE '' END
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
WHERE n.nspname = 'ibex' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND (a.grantee = 0 OR a.grantee = %(role)s::regrole)
UNION ALL
SELECT c.relname || ' ' || a.privilege_type || ' ' || t.attname
    || CASE WHEN a.is_grantable THEN ' to pass on' ELSE '' END
FROM pg_attribute AS t
JOIN pg_class AS c ON c.oid = t.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(t.attacl) AS a
WHERE n.nspname = 'ibex' AND NOT t.attisdropped
  AND (a.grantee = 0 OR a.grantee = %(role)s::regrole)
UNION ALL
SELECT 'function ' || replace(p.oid::regprocedure::text, 'ibex.', '') FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = 'ibex' AND p.prosecdef AND has_function_privilege(%(role)s, p.oid, 'EXECUTE')
UNION ALL
SELECT 'schema ' || nspname || ' CREATE' FROM pg_namespace
WHERE nspname NOT LIKE 'pg\\_temp%%' AND has_schema_privilege(%(role)s, oid, 'CREATE')
UNION ALL
SELECT 'database CREATE' WHERE has_database_privilege(%(role)s, current_database(), 'CREATE')
"""

_FOREIGN_KEYS = """
SELECT c.conrelid::regclass::text || ' ' || c.conname
FROM pg_constraint AS c
JOIN pg_class AS source ON source.oid = c.conrelid
JOIN pg_namespace AS n ON n.oid = source.relnamespace
WHERE n.nspname = 'ibex' AND c.contype = 'f'
  AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.conrelid AND a.attname = 'org_id')
  AND NOT EXISTS (
    SELECT FROM unnest(c.conkey, c.confkey) AS k(here, there)
    JOIN pg_attribute AS mine ON mine.attrelid = c.conrelid AND mine.attnum = k.here
    JOIN pg_attribute AS theirs ON theirs.attrelid = c.confrelid AND theirs.attnum = k.there
    WHERE mine.attname = 'org_id' AND theirs.attname IN (
        'org_id', CASE WHEN c.confrelid = 'ibex.organizations'::regclass THEN 'id' END)
  )
"""

_DEFINERS = """
SELECT p.oid::regprocedure::text, p.prosecdef,
       coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false),
       has_function_privilege('public', p.oid, 'EXECUTE')
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = 'ibex' AND p.prosecdef
"""


def tenant_tables(connection: Connection) -> list[str]:
    """The names of all tables whose rows belong to an organization."""
    return [str(row[1]) for row in connection.execute(_TENANT_TABLES)]


def privileges(connection: Connection) -> set[str]:
    """What the service may do: `table COMMAND`, `table COMMAND column`, `function name(types)` and so on."""
    return {str(row[0]) for row in connection.execute(_PRIVILEGES, {"role": SERVICE})}


def granted() -> set[str]:
    """What it is meant to be allowed, in the same words."""
    found = {f"function {one}" for one in _EXECUTABLE}
    for line in re.sub(r"\n +", " ", _GRANTED.strip()).splitlines():
        table, _, commands = line.partition(": ")
        for command in commands.split(";"):
            name, *columns = command.split()
            found |= {f"{table} {name} {column}" for column in columns} or {f"{table} {name}"}
    return found


def holes(connection: Connection) -> list[str]:
    """A sentence for each way in which the service could see or change another organization's rows."""
    role = {"role": SERVICE}
    found = []
    for oid, table, is_enabled, is_forced, key in connection.execute(_TENANT_TABLES).fetchall():
        if not is_enabled:
            found.append(f"{table}: row security is not enabled")
        if not is_forced:
            found.append(f"{table}: row security is not forced")
        found += _policy_holes(connection, oid, table, f"({key} = ({_TENANT})")
    found += [f"{row[0]}: a view that row security does not reach" for row in connection.execute(_VIEWS)]
    found += [f"{SERVICE} owns {row[0]}" for row in connection.execute(_OWNED, role)]
    found += [f"{SERVICE} may act as {row[0]}" for row in connection.execute(_DANGEROUS_ROLES, role)]
    found += [f"privilege: {one}" for one in sorted(privileges(connection) - granted())]
    found += [f"{row[0]}: a reference without org_id" for row in connection.execute(_FOREIGN_KEYS)]
    for function, _, is_fixed, is_public in connection.execute(_DEFINERS):
        if not is_fixed:
            found.append(f"{function}: its search_path is not fixed")
        if is_public:
            found.append(f"{function}: everybody may execute it")
    return found


def _policy_holes(connection: Connection, oid: int, table: str, expression: str) -> list[str]:
    found, has_tenant_policy = [], False
    for (
        name,
        is_permissive,
        is_for_all,
        is_for_everybody,
        using,
        check,
        is_owners_look_up,
    ) in connection.execute(_POLICIES, (oid,)).fetchall():
        if is_for_all and is_for_everybody and using == check == expression:
            has_tenant_policy = True
        elif is_permissive and not is_owners_look_up:
            found.append(f"{table}: policy {name} lets through what `tenant` does not")
    if not has_tenant_policy:
        found.append(f"{table}: no policy {expression}")
    return found
