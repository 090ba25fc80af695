"""Walks Postgres's catalogue for ways round row security."""

from psycopg import Connection
from psycopg.types.json import Jsonb

SERVICE = "ibex_service"
_TENANT = "NULLIF(current_setting('app.current_org_id'::text, true), ''::text))::uuid"

_TENANT_TABLES = """
SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity,
       CASE WHEN c.relname = 'organizations' THEN 'id' ELSE 'org_id' END
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'ibex' AND c.relkind IN ('r', 'p') AND (
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

# Of a table that is not named the service reads, adds and changes rows.
_GRANTED = {
    "alembic_version": ["SELECT"],
    "audit_chains": ["SELECT"],
    "audit_events": ["SELECT", "INSERT"],
    "changes": [],
    "erasures": [],
    "installation": ["SELECT", "INSERT"],
    "memories": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "memory_embeddings": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "memory_labels": ["SELECT", "INSERT", "DELETE"],
    "memory_claims": ["SELECT", "INSERT", "DELETE"],
    "memory_relations": ["SELECT", "INSERT", "DELETE"],
    "limit_overrides": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "provider_credentials": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "session_turns": ["SELECT", "INSERT"],
}

_PRIVILEGES = """
SELECT c.relname || ' ' || a.privilege_type
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
WHERE n.nspname = 'ibex' AND c.relkind IN ('r', 'p', 'v', 'm')
  AND (a.grantee = 0 OR a.grantee = %(role)s::regrole)
  AND (a.grantee = 0 OR NOT coalesce(
      %(granted)s::jsonb -> c.relname, '["SELECT", "INSERT", "UPDATE"]'
  ) ? a.privilege_type)
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
    privileges = connection.execute(_PRIVILEGES, {**role, "granted": Jsonb(_GRANTED)})
    found += [f"privilege: {row[0]}" for row in privileges]
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
