"""The step that gives a call its context, and what becomes of it once the call is answered."""

from collections.abc import Sequence
from dataclasses import replace

from ibex.context import Assembler, ChatTurn, FinishedTurn, Learning, ReceiptLog, UsageObserver
from ibex.proxy.call import Call, Progress
from ibex.proxy.dialects import Summary
from ibex.proxy.providers.calling import Target
from ibex.proxy.providers.mock import MockProvider
from ibex.proxy.reply import Reply
from ibex.proxy.request import Request
from ibex.telemetry import Instruments


class ContextStep:
    """Between a call's session and its route: what the client sent becomes what the model is told."""

    def __init__(
        self,
        assembler: Assembler,
        usage: UsageObserver,
        receipts: ReceiptLog,
        learning: Learning,
        instruments: Instruments,
    ) -> None:
        self._assembler = assembler
        self._usage = usage
        self._receipts = receipts
        self._learning = learning
        self._instruments = instruments

    async def given(self, call: Call, request: Request, targets: Sequence[Target], reply: Reply) -> Call:
        """The call with its context. Raises only for what the client got wrong: a conversation that is
        longer than the model's window, or a directive that it may not name."""
        if call.session_id is None:
            return call
        headers = request.headers
        turn = ChatTurn(
            request_id=request.id,
            trace_id=request.trace.trace_id,
            principal=call.principal,
            dialect=call.operation.interface.dialect,
            models=tuple(dict.fromkeys(target.model for target in targets)),
            fields=call.payload.fields,
            session_id=call.session_id,
            names_session=headers.session_id() is not None,
            user_id=call.user_id,
            skips_memory=headers.skips_memory(),
            skips_learning=headers.skips_learning(),
            directive=headers.directive_override(),
        )
        assembled = await self._assembler.assemble(turn)
        reply.add_headers(assembled.headers())
        return replace(
            call, turn=turn, assembled=assembled, payload=replace(call.payload, fields=assembled.fields)
        )

    def finished(self, call: Call, progress: Progress, summary: Summary) -> None:
        """Keep the receipt, and learn from the turn if it was answered. Nobody waits for this."""
        turn, assembled = call.turn, call.assembled
        if turn is None or assembled is None:
            return
        self._receipts.add(assembled.receipt)
        self._instruments.context_rungs.add(assembled.receipt.rung)
        self._instruments.memories_told.add(amount=len(assembled.told))
        if progress.outcome != "ok":
            return
        target, usage = progress.target, summary.usage
        if target is not None and usage.source == "provider" and usage.input is not None:
            self._usage.observe(turn.dialect, assembled.fields, target.model, usage.input)
        if turn.is_known_again and not turn.skips_learning:
            self._learning.finished(
                FinishedTurn(
                    scope=turn.scope,
                    turn_id=turn.request_id,
                    trace_id=turn.trace_id,
                    at=assembled.receipt.at,
                    question=assembled.question,
                    read_answer=progress.capture.text if _is_said_by_a_model(target) else str,
                    answer_bytes=progress.capture.size,
                    told=assembled.everything_told,
                )
            )


def _is_said_by_a_model(target: Target | None) -> bool:
    """What the built-in mock says is not worth remembering: it repeats what it was told."""
    return target is None or not isinstance(target.upstream.provider, MockProvider)
