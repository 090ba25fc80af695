"""What is kept of a call for organizations that store content: what was sent and answered, nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from ibex.archive import ContentLog, SpokenTurn
from ibex.proxy.call import Call, Progress


class Transcript:
    """Takes finished calls of conversations; nobody waits for it."""

    def __init__(self, contents: ContentLog) -> None:
        self._contents = contents

    def add(self, call: Call, progress: Progress) -> None:
        """Take a call that was answered, in whole or in part."""
        turn, assembled, capture = call.turn, call.assembled, progress.capture
        if turn is None or assembled is None or turn.session_id is None or capture.size == 0:
            return
        if not self._contents.wants(call.principal.org_id):
            return
        self._contents.add(
            SpokenTurn(
                org_id=call.principal.org_id,
                agent_id=call.principal.agent_id,
                session_id=turn.session_id,
                turn_id=call.request_id,
                at=assembled.receipt.at,
                user_id=call.user_id,
                dialect=turn.dialect,
                model=call.payload.model,
                outcome=progress.outcome,
                messages=new_messages(turn.fields),
                read_answer=capture.message,
                size=len(call.body) + capture.size,
            )
        )


def new_messages(fields: Mapping[str, Any]) -> Sequence[Any]:
    """What this turn adds to a conversation: all that follows the last answer.

    An answer that the client has begun itself, for the model to go on with, belongs to the turn.
    """
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return []
    end = len(messages)
    while end and _is_answer(messages[end - 1]):
        end -= 1
    while end and not _is_answer(messages[end - 1]):
        end -= 1
    return messages[end:]


def _is_answer(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") == "assistant"
