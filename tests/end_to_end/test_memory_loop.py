"""What a user says in one session is known in the next, with no code in the agent."""

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

from openai import OpenAI

from tests.embedded.running import wait_for
from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import Instance

_FACT = "My sister Ines is allergic to hazelnuts."
_QUESTION = "I bake a cake for Ines. What must I leave out?"
_SIGN = "hazelnuts"
_PATIENCE = 30.0


def say(client: OpenAI, text: str, *, user: str, session: str) -> str:
    """The answer to one message, which is all that the agent sends."""
    answer = client.chat.completions.create(
        model="mock",
        messages=[{"role": "user", "content": text}],
        user=user,
        extra_headers={"X-IBEX-Session-ID": session},
    )
    return answer.choices[0].message.content or ""


def streamed(client: OpenAI, text: str, *, user: str, session: str) -> str:
    """The same as a stream."""
    chunks = client.chat.completions.create(
        model="mock",
        messages=[{"role": "user", "content": text}],
        user=user,
        extra_headers={"X-IBEX-Session-ID": session},
        stream=True,
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def get(instance: Instance, path: str) -> Any:
    request = urllib.request.Request(
        f"{instance.url}/v1{path}", headers={"Authorization": f"Bearer {instance.token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def learned(instance: Instance, user: str) -> list[dict[str, Any]]:
    memories: list[dict[str, Any]] = get(instance, f"/memories?user_id={user}")
    return [memory for memory in memories if memory["content"] == _FACT]


def test_what_was_said_is_known_in_the_next_session_and_to_nobody_else(
    launch: Launch, data_dir: Path
) -> None:
    instance = launch(data_dir=data_dir).wait_ready()
    with instance.openai() as client:
        say(client, _FACT, user="ada", session="monday")
        # At once, while it is still on its way to the tables.
        assert _SIGN in say(client, _QUESTION, user="ada", session="tuesday")
        wait_for(lambda: bool(learned(instance, "ada")), seconds=_PATIENCE)
        assert _SIGN in streamed(client, _QUESTION, user="ada", session="wednesday")
        assert _SIGN not in say(client, _QUESTION, user="bob", session="wednesday")
        assert _SIGN not in say(client, _QUESTION, user="bob", session="monday")

    [memory] = learned(instance, "ada")
    assert (memory["session_id"], memory["role"]) == ("monday", "user")
    assert learned(instance, "bob") == []


def test_what_was_said_in_a_stream_is_known_as_well(launch: Launch, data_dir: Path) -> None:
    instance = launch("--workers", "2", data_dir=data_dir).wait_ready()
    with instance.openai() as client:
        streamed(client, _FACT, user="ada", session="monday")
        wait_for(lambda: bool(learned(instance, "ada")), seconds=_PATIENCE)
        assert _SIGN in say(client, _QUESTION, user="ada", session="tuesday")


def test_a_stop_right_after_the_answer_loses_nothing(launch: Launch, data_dir: Path) -> None:
    first = launch(data_dir=data_dir).wait_ready()
    with first.openai() as client:
        say(client, _FACT, user="ada", session="monday")
    assert first.stop() == 0

    second = launch(data_dir=data_dir).wait_ready()
    wait_for(lambda: bool(learned(second, "ada")), seconds=_PATIENCE)
    with second.openai() as client:
        assert _SIGN in say(client, _QUESTION, user="ada", session="tuesday")
    assert len(learned(second, "ada")) == 1


def test_a_job_process_that_dies_loses_nothing(launch: Launch, data_dir: Path) -> None:
    instance = launch(data_dir=data_dir).wait_ready()
    _web, job = instance.workers()
    os.kill(job, signal.SIGKILL)
    with instance.openai() as client:
        say(client, _FACT, user="ada", session="monday")
        wait_for(lambda: bool(learned(instance, "ada")), seconds=_PATIENCE)
        assert _SIGN in say(client, _QUESTION, user="ada", session="tuesday")


def test_what_the_client_does_not_want_learned_is_not(launch: Launch, data_dir: Path) -> None:
    instance = launch(data_dir=data_dir).wait_ready()
    with instance.openai(default_headers={"X-IBEX-Skip-Extraction": "true"}) as client:
        say(client, "I would rather not have this known.", user="ada", session="monday")
    with instance.openai() as client:
        say(client, _FACT, user="ada", session="monday")
    wait_for(lambda: bool(learned(instance, "ada")), seconds=_PATIENCE)
    contents = [memory["content"] for memory in get(instance, "/memories?user_id=ada")]
    assert not any("rather not" in content for content in contents)
