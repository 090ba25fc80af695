"""`ibex demo`: a conversation that shows memory at work."""

import sys
import time
from uuid import uuid4

import click

from ibex.cli.demo.instance import Instance, OwnInstance, running_instance
from ibex.cli.demo.service import Reply, Service, ServiceError
from ibex.cli.demo.telling import told
from ibex.cli.options import data_dir, settings_from

__all__ = ["demo"]

FACT = "My sister Ines is allergic to hazelnuts."
QUESTION = "I bake a cake for Ines. What must I leave out?"
# What no answer has that does not know the fact.
_SIGN = "hazelnut"
# Storing a turn takes some tenths of a second; a busy machine may take longer.
_PATIENCE = 20.0
_PAUSE = 0.1


@click.command()
@click.option("--model", help="Model to ask; the built-in mock model if there is one.")
@data_dir
@click.pass_context
def demo(context: click.Context, /, model: str | None, **options: object) -> None:
    """Show memory at work: what is said in one session is known in the next.

    It talks to the IBEX that runs on the data directory. If none runs, it starts one of its own, with the
    built-in mock model and in a folder that is removed afterwards. The exit status is 1 when the answer has
    made no use of the memory.
    """
    settings = settings_from(context, **options)
    instance: Instance = running_instance(settings.data_dir) or OwnInstance()
    try:
        with instance:
            has_worked = _converse(instance, model)
    except ServiceError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(0 if has_worked else 1)


def _converse(instance: Instance, model: str | None) -> bool:
    service = instance.service()
    model = model or _mock_model(service)
    ada, bob = f"demo-ada-{uuid4().hex[:8]}", f"demo-bob-{uuid4().hex[:8]}"
    _say(f"{instance.described} The model is `{model}`.")

    _title("Monday: a user says something in passing")
    _show("ada", FACT, service.say(model, ada, "monday", FACT))
    seconds = _wait_until_learned(service, ada)
    _say(f"It is a memory {seconds:.1f} s after the answer. The agent has not one line of code for it.")

    if instance.restart():
        _say("IBEX was stopped, and started again.")
        service = instance.service()

    _title("Tuesday: the same user, in another session")
    reply = service.say(model, ada, "tuesday", QUESTION)
    _show("ada", QUESTION, reply)

    _title("Tuesday: another user")
    other = service.say(model, bob, "tuesday", QUESTION)
    _show("bob", QUESTION, other)

    _title("The receipt of what the model was told on Tuesday")
    receipt = service.receipt(reply.request_id, within=_PATIENCE)
    click.echo(told(receipt))
    instance.tidy(service, (ada, bob))
    return _judge(reply, other, told_fact=FACT in str(receipt["memories"]))


def _mock_model(service: Service) -> str:
    if "mock" not in service.models():
        raise click.UsageError("This IBEX has no mock model. Name the model to ask with --model.")
    return "mock"


def _wait_until_learned(service: Service, user: str) -> float:
    """Seconds until what was said is a memory."""
    began = time.monotonic()
    while FACT not in [memory["content"] for memory in service.memories(user)]:
        if time.monotonic() - began > _PATIENCE:
            raise ServiceError(
                f"What was said is no memory after {_PATIENCE:.0f} s. Does a worker run (`jobs`), and does "
                "the organization want it (`memory_capture`)?"
            )
        time.sleep(_PAUSE)
    return time.monotonic() - began


def _judge(reply: Reply, other: Reply, *, told_fact: bool) -> bool:
    click.echo()
    if _SIGN in other.text.lower():
        click.secho("Another user was told what this one has said. That must not be.", fg="red")
        return False
    if not told_fact:
        click.secho("The memory was not told to the model.", fg="red")
        return False
    if _SIGN not in reply.text.lower():
        click.secho("The model was told the memory and made no use of it.", fg="red")
        return False
    click.secho("The answer has what was said in another session, and nobody else is told.", fg="green")
    return True


def _title(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def _say(sentence: str) -> None:
    click.secho(sentence, dim=True)


def _show(user: str, text: str, reply: Reply) -> None:
    click.echo(f"  {user:<6} {text}")
    click.echo(f"  {'model':<6} {reply.text}")
