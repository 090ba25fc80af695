"""Somebody says something; another day, after a restart, the agent knows it, and its receipt says why."""

import json
import urllib.request
from typing import Any

from tests.embedded.running import wait_for
from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import Instance

_SAID = "My sister Ines is allergic to hazelnuts."
# A busy machine must not turn a search into one that is late.
_PATIENT = {"IBEX_CONTEXT_DEADLINE_MS": "5000"}
_ASKED = "What is my sister Ines allergic to?"


def say(instance: Instance, text: str, session: str, user: str = "ada") -> tuple[str, Any]:
    """What the agent answers, and the headers of its answer."""
    with instance.openai() as client:
        answer = client.chat.completions.with_raw_response.create(
            model="mock",
            messages=[{"role": "user", "content": text}],
            extra_headers={"X-IBEX-User-ID": user, "X-IBEX-Session-ID": session},
        )
        completion = answer.parse()
    return completion.choices[0].message.content or "", answer.headers


def get(instance: Instance, path: str) -> Any:
    request = urllib.request.Request(
        f"{instance.url}/v1{path}", headers={"Authorization": f"Bearer {instance.token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def remembered(instance: Instance) -> list[str]:
    found = get(instance, "/memories?agent_id=default&user_id=ada&limit=100")
    return [memory["content"] for memory in found]


def test_what_was_said_is_known_another_day_and_the_receipt_says_why(launch: Launch, data_dir: Any) -> None:
    instance = launch(data_dir=data_dir, extra=_PATIENT).wait_ready()
    say(instance, _SAID, "monday")
    # The next turn has it, stored or not.
    wait_for(lambda: "allergic to hazelnuts" in say(instance, _ASKED, "monday")[0], seconds=10)
    wait_for(lambda: _SAID in remembered(instance), seconds=30)
    assert instance.stop() == 0

    instance = launch(data_dir=data_dir, extra=_PATIENT).wait_ready()
    answer, headers = say(instance, _ASKED, "a-week-later")
    assert "allergic to hazelnuts" in answer
    assert int(headers["x-ibex-memories-injected"]) >= 1

    def receipt() -> Any:
        try:
            return get(instance, f"/traces/{headers['x-request-id']}/context")
        except OSError:
            return None

    wait_for(lambda: receipt() is not None, seconds=30)
    shown = receipt()
    assert shown["rung"] == headers.get("x-ibex-context-fallback", "complete")
    assert _SAID in [memory["content"] for memory in shown["memories"] if memory["included"]]

    answer, _ = say(instance, _ASKED, "of-somebody-else", user="grace")
    assert "hazelnuts" not in answer
    # What the mock has quoted of it has not come back.
    say(instance, "My brother Otto plays the cello.", "a-week-later")
    wait_for(lambda: "My brother Otto plays the cello." in remembered(instance), seconds=30)
    assert [text for text in remembered(instance) if "hazelnuts" in text] == [_SAID]
