"""`/v1/dead-letters`."""

from uuid import UUID

from fastapi import APIRouter, Depends

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.permissions import Permission
from ibex.rest import Page, Single, paginated
from ibex.workers.dead_letters.schemas import DeadLettersQuery, DeadLetterView
from ibex.workers.dead_letters.service import DeadLetterService


def router(letters: DeadLetterService, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])
    settler = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))

    @router.get("")
    async def list_dead_letters(query: DeadLettersQuery, actor: Actor = settler) -> Page[DeadLetterView]:
        """List jobs that were given up, in the order in which they were."""
        found = await letters.page(actor.org_id, query.name, query.cursor, query.limit + 1)
        return paginated(found, query.limit, DeadLetterView.of, key=lambda letter: letter.id)

    @router.get("/{dead_letter_id}")
    async def get_dead_letter(dead_letter_id: UUID, actor: Actor = settler) -> Single[DeadLetterView]:
        """Get a job that was given up."""
        return Single(data=DeadLetterView.of(await letters.get(actor.org_id, dead_letter_id)))

    @router.post("/{dead_letter_id}/replay", status_code=204)
    async def replay_dead_letter(dead_letter_id: UUID, actor: Actor = settler) -> None:
        """Put the job back into the queue, once, with all of its tries."""
        await letters.replay(actor, dead_letter_id)

    @router.delete("/{dead_letter_id}", status_code=204)
    async def discard_dead_letter(dead_letter_id: UUID, actor: Actor = settler) -> None:
        """Forget the job for good."""
        await letters.discard(actor, dead_letter_id)

    return router
