"""`ibex context …`: what a model would be told, and what it was told."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
import orjson

import ibex
from ibex.app import previewing
from ibex.auth import Actor, Administration
from ibex.cli.administer import on_database, on_installation, organization
from ibex.cli.memory.working import actor_in
from ibex.cli.options import as_json, data_dir
from ibex.cli.progress import say
from ibex.cli.table import table
from ibex.context.previewing import Preview
from ibex.context.previewing.service import Wanted
from ibex.context.receipts import Receipts
from ibex.context.receipts.schemas import ReceiptView
from ibex.memory import MemoryParts
from ibex.serving.secrets import existing_pepper
from ibex.serving.servers import Addresses
from ibex.settings import Settings
from ibex.storage import Postgres, Redis, connect

Result = TypeVar("Result")
Work = Callable[[Settings, Postgres, Redis, MemoryParts, Actor], Awaitable[Result]]

# Seconds for a command to Redis.
_PATIENCE = 2.0
_LONGEST_TEXT = 60


@click.group()
def context() -> None:
    """See what a model would be told, or what it was told, and why."""


@context.command("preview")
@click.argument("question", required=False)
@click.option(
    "--messages",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON list of messages.",
)
@click.option("--agent", default="default", show_default=True, help="The agent, by slug or id.")
@click.option("--user", help="The end user.")
@click.option("--session", help="The conversation.")
@click.option("--model", default="gpt-4o-mini", show_default=True, help="As a call would name it.")
@click.option("--directive", help="A version of the directive, by number or id.")
@click.option("--without", type=click.UUID, multiple=True, help="A memory to leave out. Repeat for several.")
@click.option("--tokens", type=click.IntRange(0, 100_000), help="Most tokens of memories.")
@organization
@as_json
@data_dir
@click.pass_context
def preview_context(
    context: click.Context,
    /,
    question: str | None,
    messages: Path | None,
    agent: str,
    user: str | None,
    session: str | None,
    model: str,
    directive: str | None,
    without: tuple[UUID, ...],
    tokens: int | None,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Show what would be sent with a question, without sending it."""
    asked = _messages(question, messages)

    async def work(
        settings: Settings, postgres: Postgres, redis: Redis, memory: MemoryParts, actor: Actor
    ) -> Preview:
        wanted = Wanted(
            agent_id=await memory.lifecycle.agent(actor, agent),
            user_id=user,
            session_id=session,
            dialect="openai",
            model=model,
            fields={"model": model, "messages": asked},
            directive=directive,
            without=frozenset(without),
            memory_tokens=tokens,
        )
        async with previewing(settings, existing_pepper(settings), postgres, redis, memory) as previews:
            return await previews.of(actor, wanted)

    preview = _on_context(context, org, work, **options)
    receipt = ReceiptView.of(preview.receipt, preview.texts)
    if as_json:
        click.echo(
            orjson.dumps({"body": preview.fields, "receipt": receipt.model_dump(mode="json")}).decode()
        )
        return
    for message in preview.fields["messages"]:
        click.echo(f"{message['role']}: {_as_text(message.get('content'))}\n")
    _show(receipt)


@context.command("show")
@click.argument("request_id", type=click.UUID)
@organization
@as_json
@data_dir
@click.pass_context
def show_context(
    context: click.Context, /, request_id: UUID, org: str, as_json: bool, **options: object
) -> None:
    """Show what a call was told; REQUEST_ID is X-Request-ID or X-Trace-ID of its answer."""

    async def work(
        settings: Settings, postgres: Postgres, redis: Redis, memory: MemoryParts, actor: Actor
    ) -> ReceiptView:
        found = await Receipts(postgres, memory.lifecycle).get(actor, request_id)
        return ReceiptView.of(found.receipt, found.texts)

    receipt = _on_context(context, org, work, **options)
    if as_json:
        click.echo(receipt.model_dump_json(indent=2))
    else:
        _show(receipt)


def _on_context(context: click.Context, /, org: str, work: Work[Result], **options: object) -> Result:
    async def on_servers(settings: Settings, addresses: Addresses) -> Result:
        redis = connect(addresses.redis_url, timeout=_PATIENCE)

        async def within(administration: Administration, settings: Settings) -> Result:
            postgres = administration.postgres
            memory = MemoryParts(
                settings, postgres, postgres, redis, administration.agents, f"ibex/{ibex.__version__}"
            )
            try:
                return await work(settings, postgres, redis, memory, await actor_in(administration, org))
            finally:
                await memory.close()

        try:
            return await on_database(settings, addresses, within)
        finally:
            await redis.aclose()

    return on_installation(context, on_servers, **options)


def _messages(question: str | None, file: Path | None) -> list[dict[str, Any]]:
    if (question is None) == (file is None):
        raise click.UsageError("Give a question, or --messages with a file.")
    if file is None:
        return [{"role": "user", "content": question}]
    try:
        messages = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise click.ClickException(f"{file} is not JSON: {error}.") from None
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise click.ClickException(f"{file} does not hold a list of messages.")
    return messages


def _show(receipt: ReceiptView) -> None:
    """The receipt for people."""
    rows = [
        (
            "told" if each.included else f"left out ({each.reason})",
            f"{each.score:.2f}",
            str(each.tokens),
            each.source,
            str(each.memory_id or "-"),
            _short(each.content or "-"),
        )
        for each in receipt.memories
    ]
    if rows:
        click.echo(table(("", "SCORE", "TOKENS", "SOURCE", "MEMORY", "CONTENT"), rows))
    directive = receipt.directive
    version = "none" if directive is None else f"version {directive.number}"
    split = receipt.tokens
    say(
        f"Directive: {version}. Rung: {receipt.rung}. Tokens: directive {split.directive}, memories "
        f"{split.memories} of {split.available}, messages about {split.messages}, window {split.window}."
    )
    if receipt.degraded is not None:
        say(receipt.degraded)


def _as_text(content: object) -> str:
    return content if isinstance(content, str) else orjson.dumps(content).decode()


def _short(text: str) -> str:
    """One line of it. What would move the cursor or hide the text in a terminal is left out."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 1]}…"
