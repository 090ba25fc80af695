"""What may become of a version: read and judged within the transaction that changes it."""

from uuid import UUID

from ibex.auth.names import conflict, no_access
from ibex.context.directives import repository
from ibex.context.directives.directive import DirectiveEntry, Rollout
from ibex.storage import Connection


async def entry(connection: Connection, directive_id: UUID) -> DirectiveEntry:
    """A version as it is now. Raises ACCESS_DENIED when there is none."""
    found = await repository.entry(connection, directive_id)
    if found is None:
        raise no_access("directive")
    return found


async def undisturbed(connection: Connection, seen: Rollout) -> Rollout:
    """Which versions are in use. Raises CONFLICT when they are others than when the actor asked."""
    now = Rollout.of(seen.agent_id, await repository.entries_in_use(connection, seen.agent_id))
    if _identity(now) != _identity(seen):
        raise conflict(
            "Somebody else has changed at the same time which version is in use. Look at it, and try again."
        )
    return now


def _identity(rollout: Rollout) -> tuple[object, ...]:
    active, candidate = rollout.active, rollout.candidate
    return (
        active and (active.id, active.activated_at),
        candidate and (candidate.id, candidate.offered_at, candidate.share),
    )


def check_can_be_promoted(now: DirectiveEntry, candidate: DirectiveEntry | None) -> None:
    """Raises CONFLICT when its status does not allow it, or another version is being rolled out."""
    if candidate is not None and candidate.id != now.id:
        raise conflict(f"Version {candidate.number} is being rolled out; abort that first, or finish it.")
    if now.status == "draft":
        raise conflict(f"Version {now.number} is a draft; submit it first.")
    if now.status == "active":
        raise conflict(f"Version {now.number} is active already.")
    if now.status == "revoked":
        raise conflict(f"Version {now.number} is revoked. Create a new version to use its text again.")


async def target(connection: Connection, agent_id: UUID, to: int | None) -> DirectiveEntry:
    """The version that a rollback leads to. Raises ACCESS_DENIED and CONFLICT."""
    if to is None:
        last = await repository.last_in_force(connection, agent_id)
        if last is None:
            raise conflict("There is no earlier version that could be rolled back to.")
        return last
    found = await repository.entry_by_number(connection, agent_id, to)
    if found is None:
        raise no_access("directive")
    if found.status != "deprecated":
        raise conflict(f"Version {to} cannot be rolled back to: it is {state(found)}.")
    return found


def state(entry: DirectiveEntry) -> str:
    """Its status, as one says it."""
    return {"draft": "a draft", "review": "in review"}.get(entry.status, entry.status)
