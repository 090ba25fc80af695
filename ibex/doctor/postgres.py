"""The database: whether it is the kind that IBEX needs, and whether it keeps tenants apart."""

import re
from collections.abc import Iterator

import psycopg

from ibex.app import CONNECTIONS_PER_JOB_PROCESS
from ibex.doctor.finding import Finding, State, ok, problem, warning
from ibex.doctor.repository import PostgresFacts, read_facts
from ibex.serving.checks import connections_per_process
from ibex.serving.dependencies import check_dsn
from ibex.serving.errors import PreparationError
from ibex.serving.servers import Addresses
from ibex.settings import Settings
from ibex.storage import first_line
from ibex.storage.migrations import MigrationError, current, latest
from ibex.storage.postgres import SERVICE_ROLE

_OLDEST = 160_000
_OLDEST_VECTOR = (0, 8)
# A token's expiry and the turns' times are compared across machines.
_MOST_CLOCK_SECONDS = 1.0


def postgres(settings: Settings, addresses: Addresses) -> Iterator[Finding]:
    try:
        check_dsn(addresses.postgres_dsn)
        facts, ahead = read_facts(addresses.postgres_dsn, SERVICE_ROLE)
    except PreparationError as error:
        yield problem("Postgres", str(error), "Correct it.")
        return
    except psycopg.Error as error:
        yield problem("Postgres", f"It cannot be reached: {first_line(error)}.", _where_to_look(settings))
        return
    yield version(facts)
    yield vector(facts)
    finding = schema(addresses.migration_dsn)
    yield finding
    # A migration that is still to come makes the role.
    if facts.service_exists or finding.state is not State.WARNING:
        yield role(facts)
    yield connections(facts, settings)
    yield clock(ahead)


def _where_to_look(settings: Settings) -> str:
    if settings.postgres_dsn is not None:
        return "Check IBEX_POSTGRES_DSN and that the server runs."
    return "If IBEX is not just starting, look at logs/postgres.log in the data directory."


def version(facts: PostgresFacts) -> Finding:
    if facts.version_number < _OLDEST:
        return problem("Postgres", f"PostgreSQL {facts.version} is too old.", "Use PostgreSQL 16 or newer.")
    return ok("Postgres", f"PostgreSQL {facts.version} answers.")


def vector(facts: PostgresFacts) -> Finding:
    found = facts.vector_installed or facts.vector_available
    if found is None:
        return problem(
            "pgvector",
            "The extension is not available on this server.",
            "Install pgvector 0.8 or newer for this version of PostgreSQL.",
        )
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) < _OLDEST_VECTOR:
        remedy = "Install pgvector 0.8 or newer, then: ALTER EXTENSION vector UPDATE"
        return problem("pgvector", f"Version {found} is too old.", remedy)
    return ok("pgvector", f"Version {found} is {'installed' if facts.vector_installed else 'available'}.")


def schema(migration_dsn: str) -> Finding:
    newest = latest()
    try:
        revision = current(migration_dsn)
    except MigrationError as error:
        return problem("schema", str(error), "Check IBEX_POSTGRES_MIGRATION_DSN.")
    if revision == newest:
        return ok("schema", f"At revision {revision}, the newest.")
    if revision is not None and revision > newest:
        return problem(
            "schema",
            f"At revision {revision}, newer than this version of IBEX ({newest}) knows.",
            "Install the newer version.",
        )
    text = f"At revision {revision}, behind {newest}." if revision else "The database has none yet."
    return warning("schema", text, "`ibex serve` brings it up to date, or before that `ibex migrate`.")


def role(facts: PostgresFacts) -> Finding:
    """Row security binds neither superusers nor BYPASSRLS nor, in effect, owners."""
    if not facts.service_exists:
        return problem("service role", f"There is no role {SERVICE_ROLE}.", "Run: ibex migrate")
    if facts.service_is_privileged or facts.service_is_owner:
        why = "owns the tables" if facts.service_is_owner else "is a superuser or has BYPASSRLS"
        return problem(
            "service role",
            f"{SERVICE_ROLE} {why}, so tenants are not kept apart.",
            f"ALTER ROLE {SERVICE_ROLE} NOSUPERUSER NOBYPASSRLS; give its tables to the role that migrates.",
        )
    if not facts.service_can_be_assumed:
        return problem(
            "service role",
            f"{facts.login_role} may not become {SERVICE_ROLE}.",
            f"GRANT {SERVICE_ROLE} TO {facts.login_role}",
        )
    if facts.login_is_privileged:
        return warning(
            "service role",
            f"{facts.login_role}, who logs in, is a superuser or has BYPASSRLS; "
            f"each transaction becomes {SERVICE_ROLE}.",
            f"Log in as a role that can do nothing but become {SERVICE_ROLE}.",
        )
    return ok("service role", f"{SERVICE_ROLE} owns nothing and is bound by row security.")


def connections(facts: PostgresFacts, settings: Settings) -> Finding:
    try:
        each = connections_per_process(settings)
    except PreparationError as error:
        return problem("connections", str(error), "Lower IBEX_WORKERS or IBEX_JOBS.")
    needed = settings.workers * each + settings.jobs * CONNECTIONS_PER_JOB_PROCESS
    text = f"{needed} of {facts.connections} may be used by this replica"
    if needed > facts.connections:
        return problem(
            "connections",
            f"{text}: {settings.workers} web and {settings.jobs} job processes.",
            "Lower IBEX_POSTGRES_CONNECTIONS or IBEX_WORKERS, or raise max_connections of the server.",
        )
    return ok("connections", f"{text}.")


def clock(ahead: float) -> Finding:
    if abs(ahead) > _MOST_CLOCK_SECONDS:
        return warning(
            "clock",
            f"The database's clock is {abs(ahead):.1f} s {'ahead' if ahead > 0 else 'behind'}.",
            "Synchronise both machines, with chrony or systemd-timesyncd.",
        )
    return ok("clock", "The database's clock agrees with this machine's.")
