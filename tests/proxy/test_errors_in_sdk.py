"""Every refusal is raised by the official client as the error of its own that fits."""

import re

import openai
import pytest

from tests.proxy.conftest import Standing

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.mark.parametrize(
    ("kind", "status", "code", "options", "headers"),
    [
        (openai.BadRequestError, 400, "VALIDATION_ERROR", {"model": ""}, {}),
        (openai.BadRequestError, 400, "VALIDATION_ERROR", {}, {"X-IBEX-Session-ID": "a b"}),
        (openai.AuthenticationError, 401, "INVALID_TOKEN", {}, {"Authorization": "Bearer sk-mine"}),
        (openai.PermissionDeniedError, 403, "AGENT_NOT_AUTHORIZED", {}, {"X-IBEX-Agent-ID": "nobody"}),
        (openai.NotFoundError, 404, "model_not_found", {"model": "status-404"}, {}),
        (openai.RateLimitError, 429, "rate_limit_exceeded", {"model": "status-429"}, {}),
        (openai.InternalServerError, 502, "PROVIDER_INVALID_RESPONSE", {"model": "html"}, {}),
        (openai.InternalServerError, 503, "PROVIDER_UNAVAILABLE", {"model": "status-401"}, {}),
        (openai.InternalServerError, 504, "PROVIDER_TIMEOUT", {"model": "hang-before-headers"}, {}),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_typed(
    standing: Standing,
    kind: type[openai.APIStatusError],
    status: int,
    code: str,
    options: dict[str, str],
    headers: dict[str, str],
    stream: bool,
) -> None:
    async with standing.service.openai() as client:
        with pytest.raises(kind) as raised:
            await client.chat.completions.create(
                model=options.get("model", "gpt-4o-mini"),
                messages=[{"role": "user", "content": "hello"}],
                stream=stream,
                extra_headers=headers,
            )
    error = raised.value
    assert (error.status_code, error.code) == (status, code)
    assert error.request_id is not None
    assert REQUEST_ID.fullmatch(error.request_id)
    assert isinstance(error.body, dict)
    assert error.body["request_id"] == error.request_id
    assert error.body["message"] in error.message


async def test_the_clients_own_retries_get_past_a_failure(standing: Standing) -> None:
    async with standing.service.openai(max_retries=2) as client:
        answer = await client.chat.completions.create(
            model="fail-twice-500", messages=[{"role": "user", "content": "hello"}]
        )
    assert answer.choices[0].message.content


async def test_the_request_id_is_on_a_good_answer_too(standing: Standing) -> None:
    async with standing.service.openai() as client:
        answer = await client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
        )
        assert answer._request_id is not None
        assert REQUEST_ID.fullmatch(answer._request_id)
        raw = await client.chat.completions.with_raw_response.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        assert raw.request_id is not None
        assert REQUEST_ID.fullmatch(raw.request_id)


async def test_what_our_errors_say_leads_to_a_page_that_explains_them(standing: Standing) -> None:
    async with standing.service.http() as client:
        error = (await client.post("/v1/chat/completions", json={})).json()["error"]
        path = "/" + error["docs_url"].split("/", 3)[3]
        page = await client.get(path)
    assert page.status_code == 200
    assert page.text.startswith("# VALIDATION_ERROR\n")
    assert "HTTP status 400" in page.text
