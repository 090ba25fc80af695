"""The paths of the OpenAI dialect."""

from functools import partial

import orjson

from ibex.auth import CHAT, NO_PERMISSION, Permission
from ibex.errors import IbexError
from ibex.http import Endpoint, Receive, Routes, Scope, Send
from ibex.ids import uuid7
from ibex.proxy.admission import Admission
from ibex.proxy.call import Operation, Progress
from ibex.proxy.model_list import ModelList
from ibex.proxy.payload import parse_chat, parse_embeddings
from ibex.proxy.pipeline import Pipeline
from ibex.proxy.record import Recorder, Request
from ibex.proxy.reply import Reply
from ibex.proxy.request import RequestHeaders, client_of
from ibex.telemetry import Step, StepClock, trace_of


def routes(
    pipeline: Pipeline,
    models: ModelList,
    admission: Admission,
    recorder: Recorder,
    *,
    message_limit: int,
    docs_base_url: str,
) -> Routes:
    """Path → method → endpoint."""
    chat = Operation(
        "chat_completions", "/chat/completions", CHAT, partial(parse_chat, message_limit=message_limit), True
    )
    embeddings = Operation("embeddings", "/embeddings", Permission.SESSION_CREATE, parse_embeddings, False)
    return {
        "/v1/chat/completions": {"POST": partial(pipeline.run, chat)},
        "/v1/embeddings": {"POST": partial(pipeline.run, embeddings)},
        "/v1/models": {"GET": list_models(models, admission, recorder, docs_base_url)},
    }


def list_models(models: ModelList, admission: Admission, recorder: Recorder, docs_base_url: str) -> Endpoint:
    """`GET /v1/models`, for any valid token."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        clock, progress = StepClock(), Progress()
        headers = RequestHeaders.of(scope)
        request_id = uuid7()
        trace = trace_of(headers.text(b"traceparent"), request_id)
        request = Request("models", request_id, trace, client_of(scope))
        reply = Reply(
            send,
            clock,
            request_id=request_id,
            trace_id=trace.trace_id,
            docs_base_url=docs_base_url,
            dialect="openai",
        )
        try:
            principal = await admission.authenticate(headers, NO_PERMISSION, progress)
            clock.lap(Step.AUTH)
            await admission.limit(principal, reply)
            clock.lap(Step.LIMITS)
            listed = await models.all()
            clock.lap(Step.PROVIDER)
            await reply.json(200, orjson.dumps({"object": "list", "data": listed}))
        except IbexError as error:
            progress.outcome, progress.error_code = "failed", error.code
            await reply.error(error)
        finally:
            recorder.record(request, None, progress, reply, clock)

    return endpoint
