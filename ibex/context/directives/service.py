"""What can be done to directives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import check_owner
from ibex.auth.audit import AuditEvent
from ibex.auth.changes import Change, ChangeLog
from ibex.auth.names import conflict, invalid, no_access
from ibex.context.directives import repository
from ibex.context.directives.difference import Difference, difference, summary
from ibex.context.directives.directive import Directive, DirectiveEntry, Rollout, Status
from ibex.context.directives.transitions import (
    check_can_be_promoted,
    entry,
    state,
    target,
    undisturbed,
)
from ibex.context.directives.wording import checked_content, checked_mode, checked_share, checked_summary
from ibex.ids import uuid7
from ibex.storage import Connection, Postgres

# Sessions keep the version that they have for so long after another one has taken its place. A conversation
# that goes on for longer changes once, when it is hardly the same any more.
_KEEP_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions and their difference; `before` is None for the first version of an agent."""

    before: Directive | None
    after: Directive
    difference: Difference


class DirectiveService:
    """Directives of one organization; each change is one transaction, audited and told to every process.

    Everything raises ACCESS_DENIED for what the organization does not have, and AGENT_NOT_AUTHORIZED for what
    is another agent's than the actor's.
    """

    def __init__(self, postgres: Postgres, changes: ChangeLog) -> None:
        self._postgres = postgres
        self._changes = changes

    async def create(
        self,
        actor: Actor,
        agent_id: UUID,
        content: str,
        mode: str = "system_first",
        change_summary: str | None = None,
        *,
        submit: bool = False,
    ) -> Directive:
        """A new version, in review when it is to be submitted, else a draft.

        Without a summary it gets one: how many lines have changed. Raises VALIDATION_ERROR.
        """
        check_owner(actor, agent_id)
        content, checked = checked_content(content), checked_mode(mode)
        if change_summary is not None:
            change_summary = checked_summary(change_summary)
        directive_id = uuid7()
        status: Status = "review" if submit else "draft"
        async with self._changing(actor, agent_id) as connection:
            before = await repository.newest(connection, agent_id)
            number = 1 if before is None else before.number + 1
            if change_summary is None:
                change_summary = (
                    summary(None, content, None)
                    if before is None
                    else summary(before.content, content, before.number)
                )
            await repository.insert(
                connection,
                actor.org_id,
                directive_id,
                agent_id,
                content,
                checked,
                change_summary,
                actor.name,
                status,
            )
            await audit.record(
                connection,
                AuditEvent.of(
                    actor, "directive.create", directive_id, agent=str(agent_id), number=number, status=status
                ),
            )
        return await self.get(actor, directive_id)

    async def get(self, actor: Actor, directive_id: UUID) -> Directive:
        found = await repository.find(self._postgres, actor.org_id, directive_id)
        if found is None:
            raise no_access("directive")
        check_owner(actor, found.agent_id)
        return found

    async def get_number(self, actor: Actor, agent_id: UUID, number: int) -> Directive:
        """The version with a number."""
        check_owner(actor, agent_id)
        found = await repository.find_of_agent(self._postgres, actor.org_id, agent_id, number)
        if found is None:
            raise no_access("directive")
        return found

    async def page(
        self, actor: Actor, agent_id: UUID | None, status: Status | None, after: UUID | None, limit: int
    ) -> list[DirectiveEntry]:
        """Versions of one agent, or of all, in the order of their creation."""
        if agent_id is not None:
            check_owner(actor, agent_id)
        return await repository.page(
            self._postgres, actor.org_id, agent_id or actor.agent_id, status, after, limit
        )

    async def rollout(self, actor: Actor, agent_id: UUID) -> Rollout:
        check_owner(actor, agent_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            return Rollout.of(agent_id, await repository.entries_in_use(connection, agent_id))

    async def compare(self, actor: Actor, directive_id: UUID, against: UUID | None = None) -> Comparison:
        """What a version says that another one does not; the one before it by default.

        Raises VALIDATION_ERROR when they are of two agents.
        """
        after = await self.get(actor, directive_id)
        before: Directive | None = None
        if against is not None:
            before = await self.get(actor, against)
            if before.agent_id != after.agent_id:
                raise invalid("against", "The two versions are of two agents.")
        elif after.number > 1:
            before = await self.get_number(actor, after.agent_id, after.number - 1)
        found = await asyncio.to_thread(
            difference,
            "" if before is None else before.content,
            after.content,
            "nothing" if before is None else f"version {before.number}",
            f"version {after.number}",
        )
        return Comparison(before, after, found)

    async def submit(self, actor: Actor, directive_id: UUID) -> Directive:
        """Ask for a draft to be looked at. Raises CONFLICT for anything else."""
        wanted = await self.get(actor, directive_id)
        async with self._changing(actor, wanted.agent_id) as connection:
            now = await entry(connection, directive_id)
            if now.status != "draft":
                raise conflict(f"Version {now.number} is no draft: it is {state(now)}.")
            await repository.submit(connection, directive_id)
            await _record(connection, actor, "directive.submit", now)
        return await self.get(actor, directive_id)

    async def promote(
        self, actor: Actor, directive_id: UUID, share: float = 1.0, *, at_once: bool = False
    ) -> Directive:
        """Make a version the active one; or, with a share below 1, roll it out to that share of sessions.

        The version that was active is deprecated. Sessions that have it keep it for a day, unless the new one
        is to reach them `at_once`. A rollout is finished with the share 1.

        Raises VALIDATION_ERROR, and CONFLICT when its status does not allow it, another version is being
        rolled out, or somebody else has promoted meanwhile.
        """
        share = checked_share(share)
        if at_once and share < 1:
            raise invalid(
                "at_once", "A rollout to a share of the sessions leaves those that have begun alone."
            )
        wanted = await self.get(actor, directive_id)
        seen = await self.rollout(actor, wanted.agent_id)
        async with self._changing(actor, wanted.agent_id) as connection:
            now = await entry(connection, directive_id)
            before = await undisturbed(connection, seen)
            check_can_be_promoted(now, before.candidate)
            if share < 1:
                await repository.set_share(connection, directive_id, share)
                await _record(connection, actor, "directive.rollout", now, share=f"{share:g}")
            else:
                if before.active is not None:
                    await repository.deprecate(
                        connection, before.active.id, None if at_once else _KEEP_SECONDS
                    )
                if at_once:
                    await repository.keep_no_sessions(connection, now.agent_id)
                await repository.activate(connection, directive_id)
                await _record(connection, actor, "directive.promote", now, **_instead_of(before.active))
        return await self.get(actor, directive_id)

    async def abort(self, actor: Actor, directive_id: UUID) -> Directive:
        """End a rollout: sessions leave the version at once. Raises CONFLICT when there is none of it."""
        wanted = await self.get(actor, directive_id)
        async with self._changing(actor, wanted.agent_id) as connection:
            now = await entry(connection, directive_id)
            if now.share is None:
                raise conflict(f"Version {now.number} is not being rolled out: it is {state(now)}.")
            await repository.abort(connection, directive_id)
            await _record(connection, actor, "directive.abort", now)
        return await self.get(actor, directive_id)

    async def roll_back(self, actor: Actor, agent_id: UUID, to: int | None = None) -> Directive:
        """Promote an earlier version again, for running sessions too; the last one before by default.

        Nothing falls back by itself to a newer version that is left so.

        Raises CONFLICT when there is none, it was never active or is revoked, another version is being rolled
        out, or somebody else has promoted meanwhile.
        """
        seen = await self.rollout(actor, agent_id)
        async with self._changing(actor, agent_id) as connection:
            before = await undisturbed(connection, seen)
            if before.candidate is not None:
                raise conflict(
                    f"Version {before.candidate.number} is being rolled out; abort that first, or finish it."
                )
            earlier = await target(connection, agent_id, to)
            if before.active is not None:
                is_back = earlier.number < before.active.number
                await repository.deprecate(connection, before.active.id, None, is_rolled_back=is_back)
            await repository.activate(connection, earlier.id)
            await _record(connection, actor, "directive.rollback", earlier, **_instead_of(before.active))
        return await self.get(actor, earlier.id)

    async def revoke(self, actor: Actor, directive_id: UUID) -> Directive:
        """Never use a version again. Sessions that have it leave it at once.

        In the place of the active one comes the version that was active last, of those that no rollback has
        ended and nobody has revoked: an agent without its directive may be worse than one with an earlier.
        When there is none, the agent has no directive. Raises CONFLICT when it is revoked already.
        """
        wanted = await self.get(actor, directive_id)
        async with self._changing(actor, wanted.agent_id) as connection:
            now = await entry(connection, directive_id)
            if now.status == "revoked":
                raise conflict(f"Version {now.number} is revoked already.")
            await repository.revoke(connection, directive_id)
            await _record(connection, actor, "directive.revoke", now)
            if now.status == "active":
                earlier = await repository.last_in_force(connection, now.agent_id)
                if earlier is not None:
                    await repository.activate(connection, earlier.id)
                    await _record(connection, actor, "directive.fallback", earlier, **_instead_of(now))
        return await self.get(actor, directive_id)

    @asynccontextmanager
    async def _changing(self, actor: Actor, agent_id: UUID) -> AsyncIterator[Connection]:
        """A transaction in which nobody else changes the directives of the agent."""
        change = Change("directive", agent_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            if not await repository.lock(connection, agent_id):
                raise no_access("agent")
            yield connection
            await self._changes.note(connection, change)
        await self._changes.announce(change)


def _instead_of(entry: DirectiveEntry | None) -> dict[str, str | int]:
    return {} if entry is None else {"instead_of": entry.number}


async def _record(
    connection: Connection, actor: Actor, action: str, entry: DirectiveEntry, **detail: str | int
) -> None:
    event = AuditEvent.of(actor, action, entry.id, agent=str(entry.agent_id), number=entry.number, **detail)
    await audit.record(connection, event)
