"""The paths that agents call."""

import asyncio
from functools import partial

import orjson

from ibex.auth import CHAT, NO_PERMISSION, Permission
from ibex.errors import IbexError
from ibex.http import ClientAddress, Endpoint, Receive, Routes, Scope, Send
from ibex.proxy.admission import Admission
from ibex.proxy.call import Operation, Progress
from ibex.proxy.dialects import ANTHROPIC
from ibex.proxy.estimate import estimate_chat, estimate_embeddings
from ibex.proxy.model_list import ModelList
from ibex.proxy.payload import parse_chat, parse_embeddings, parse_messages
from ibex.proxy.pipeline import Pipeline
from ibex.proxy.record import Recorder
from ibex.proxy.reply import Reply
from ibex.proxy.request import Request
from ibex.telemetry import Step, StepClock


def routes(
    pipeline: Pipeline,
    models: ModelList,
    admission: Admission,
    recorder: Recorder,
    *,
    client_address: ClientAddress,
    message_limit: int,
    docs_base_url: str,
) -> Routes:
    """Path → method → endpoint."""
    chat = Operation(
        "chat_completions",
        "/chat/completions",
        CHAT,
        partial(parse_chat, message_limit=message_limit),
        estimate_chat,
        has_session=True,
    )
    messages = Operation(
        "messages",
        "/messages",
        CHAT,
        partial(parse_messages, message_limit=message_limit),
        estimate_chat,
        has_session=True,
        interface=ANTHROPIC,
    )
    embeddings = Operation(
        "embeddings",
        "/embeddings",
        Permission.SESSION_CREATE,
        parse_embeddings,
        estimate_embeddings,
        has_session=False,
    )
    return {
        "/v1/chat/completions": {"POST": partial(pipeline.run, chat)},
        "/v1/messages": {"POST": partial(pipeline.run, messages)},
        "/v1/embeddings": {"POST": partial(pipeline.run, embeddings)},
        "/v1/models": {"GET": list_models(models, admission, recorder, client_address, docs_base_url)},
    }


def list_models(
    models: ModelList,
    admission: Admission,
    recorder: Recorder,
    client_address: ClientAddress,
    docs_base_url: str,
) -> Endpoint:
    """`GET /v1/models`, for any valid token."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        clock, progress = StepClock(), Progress()
        request = Request.of("models", scope, client_address)
        reply = Reply(send, clock, request, docs_base_url=docs_base_url)
        try:
            clock.enter(Step.AUTH)
            principal = await admission.authenticate(request, NO_PERMISSION, progress)
            clock.enter(Step.LIMITS)
            await admission.limit(principal, reply)
            clock.enter(Step.PROVIDER)
            listed = await models.all()
            clock.enter(Step.STREAM)
            await reply.json(200, orjson.dumps({"object": "list", "data": listed}))
        except IbexError as error:
            progress.outcome, progress.error_code = "failed", error.code
            await reply.error(error)
        except asyncio.CancelledError:
            progress.outcome = "cancelled"
            raise
        finally:
            recorder.record(request, None, progress, reply, clock)

    return endpoint
