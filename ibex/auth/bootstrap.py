"""The first start: an organization, an agent and an administrator's token, so that a call works at once."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.administration import Administration
from ibex.auth.installation import secret_file
from ibex.auth.permissions import EVERYTHING
from ibex.auth.tokens import secret
from ibex.auth.tokens.request import TokenRequest
from ibex.ids import uuid7

DEFAULT = "default"
CREDENTIALS = "credentials.json"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client needs to make its first call."""

    base_url: str
    token: str
    org_id: str
    agent_id: str

    @classmethod
    def read(cls, path: Path) -> "Credentials | None":
        """The credentials kept in a file, or None when it is absent or not one of ours."""
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Replace the file at once; only its owner may read it."""
        secret_file.replace(path, json.dumps(asdict(self), indent=2) + "\n")

    def __repr__(self) -> str:
        return f"Credentials(base_url={self.base_url!r}, org_id={self.org_id!r}, agent_id={self.agent_id!r})"


async def bootstrap(administration: Administration, data_dir: Path, base_url: str) -> Credentials | None:
    """Create what is missing and keep the credentials in the data directory (0600).

    A start that was interrupted is completed by the next one: the file is written before the token exists,
    so a token that exists was written. Of replicas that start together one creates, the others find. None
    when the organization has tokens, but none of them is known here.
    """
    path = data_dir / CREDENTIALS
    organizations, agents, tokens = (
        administration.organizations,
        administration.agents,
        administration.tokens,
    )
    async with administration.alone():
        org_id = await organizations.find_by_slug(DEFAULT)
        if org_id is None:
            org_id = (await organizations.create("system", "Default", DEFAULT)).id
        actor = Actor.local(org_id, "system")
        first = next(iter(await agents.page(org_id, None, 1)), None)
        if first is None:
            first = await agents.create(actor, "Default", DEFAULT)
        if first.slug == DEFAULT and not await tokens.page(org_id, None, 1):
            token = secret.generate(uuid7())
            Credentials(base_url, tokens.text_of(token), str(org_id), str(first.id)).write(path)
            request = TokenRequest("Administrator", EVERYTHING, default_agent_id=first.id)
            await tokens.create(actor, request, token)
        return _at_this_address(path, base_url, org_id)


def _at_this_address(path: Path, base_url: str, org_id: UUID) -> Credentials | None:
    """The kept credentials with the address of this start; none that belong to another database."""
    kept = Credentials.read(path)
    if kept is None or kept.org_id != str(org_id):
        return None
    if kept.base_url == base_url:
        return kept
    moved = Credentials(base_url, kept.token, kept.org_id, kept.agent_id)
    moved.write(path)
    return moved
