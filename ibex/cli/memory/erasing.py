"""`ibex memory delete`."""

import json
from uuid import UUID

import click

from ibex.auth import Actor
from ibex.cli.administer import organization
from ibex.cli.memory import options as common
from ibex.cli.memory.working import on_memories
from ibex.cli.options import as_json, data_dir
from ibex.memory import MemoryParts
from ibex.memory.lifecycle.schemas import CertificateView
from ibex.memory.repository.erasure import Certificate


@common.examples(
    "ibex memory delete 01a20747-378d-70c7-a843-85766e82a988",
    "ibex memory delete 01a20747-378d-70c7-a843-85766e82a988 --hard --json > certificate.json",
)
@click.command("delete")
@click.argument("memory_id", metavar="ID", type=click.UUID)
@click.option("--hard", is_flag=True, help="For good, and print the certificate.")
@organization
@as_json
@data_dir
@click.pass_context
def delete_memory(
    context: click.Context, /, memory_id: UUID, hard: bool, org: str, as_json: bool, **options: object
) -> None:
    """Delete a memory, so that it can be restored unless it is --hard."""

    async def work(parts: MemoryParts, actor: Actor) -> Certificate | None:
        if hard:
            return await parts.lifecycle.erasure.erase(actor, memory_id)
        await parts.lifecycle.states.delete(actor, memory_id)
        return None

    certificate = on_memories(context, org, work, **options)
    if certificate is None:
        shown: object = {"memory_id": str(memory_id), "status": "deleted"}
        sentence = f"Deleted {memory_id}."
    else:
        shown = CertificateView.of(certificate).model_dump(mode="json")
        counted = ", ".join(f"{number} {name}" for name, number in certificate.erased.items())
        sentence = f"Erased {memory_id}: {counted}. Certificate {certificate.id}."
    click.echo(json.dumps(shown, indent=2) if as_json else sentence)
