"""The providers: whether each answers, with its key, what a provider answers."""

import asyncio
import ssl
from collections.abc import Iterable, Iterator

import orjson

from ibex.doctor.finding import Finding, ok, problem, warning
from ibex.http1 import Answer, BrokenAnswerError, HttpClient, UnreachableError
from ibex.proxy import ANTHROPIC_VERSION
from ibex.settings import ProviderSettings, Settings

_PATIENCE = 5.0
_MOST_BYTES = 8 << 20


def providers(settings: Settings, *, offline: bool) -> Iterator[Finding]:
    """One finding each; they are asked side by side."""
    names = {name: p for name, p in settings.providers.items() if p.kind != "mock"}
    for name in settings.providers.keys() - names.keys():
        yield ok(f"provider {name}", "Built in.")
    if offline:
        for name in names:
            yield ok(f"provider {name}", "Not asked (--offline).")
    elif names:
        yield from asyncio.run(_ask_all(names.items()))


async def _ask_all(providers: Iterable[tuple[str, ProviderSettings]]) -> list[Finding]:
    return list(await asyncio.gather(*(_ask(name, provider) for name, provider in providers)))


async def _ask(name: str, provider: ProviderSettings) -> Finding:
    """`GET /models`, as the proxy would send it: with the key, and following no redirect."""
    check, url = f"provider {name}", f"{provider.base_url}/models"
    headers = {"Accept": "*/*", **provider.headers}
    key = provider.api_key.get_secret_value() if provider.api_key is not None else None
    if provider.kind == "anthropic":
        headers = {"anthropic-version": ANTHROPIC_VERSION, **headers}
        if key is not None:
            headers["x-api-key"] = key
    elif key is not None:
        headers["Authorization"] = f"Bearer {key}"
    client = HttpClient(provider.base_url, connect_timeout=_PATIENCE, connections=1)
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = await client.send(client.head("GET", "/models", headers))
            return judge(check, url, answer.status, await _read(answer))
    except TimeoutError:
        return _late(check, url)
    except UnreachableError as error:
        return _unreachable(check, url, error.__cause__)
    except (BrokenAnswerError, ValueError) as error:
        return problem(check, f"{url} does not speak HTTP ({error}).", "Check `base_url`.")
    finally:
        client.close()


async def _read(answer: Answer) -> bytes:
    body = b""
    while len(body) < _MOST_BYTES and (chunk := await answer.read_chunk()):
        body += chunk
    return body


def _unreachable(check: str, url: str, cause: BaseException | None) -> Finding:
    if isinstance(cause, TimeoutError):
        return _late(check, url)
    if isinstance(cause, ssl.SSLError):
        return problem(
            check,
            f"{url} has a certificate that is not trusted ({type(cause).__name__}).",
            "Check `base_url`, and the certificates of this machine.",
        )
    reason = (cause.strerror if isinstance(cause, OSError) else None) or type(cause).__name__
    return problem(check, f"{url} cannot be reached: {reason}.", "Check `base_url` and the network.")


def _late(check: str, url: str) -> Finding:
    return problem(
        check, f"{url} did not answer within {_PATIENCE:g} s.", "Check `base_url` and the network."
    )


def judge(check: str, url: str, status: int, body: bytes) -> Finding:
    """What an answer says about the settings."""
    if status in {401, 403}:
        return problem(
            check,
            f"The key is refused ({status}).",
            "Correct `api_key`, `api_key_env` or the variable that declares the provider.",
        )
    if status == 429 or status >= 500:
        return warning(check, f"{url} answers {status}.", "Try again later; the provider has a problem.")
    if status != 200:
        return problem(
            check, f"{url} answers {status}.", "Check `base_url`; for most providers it ends in /v1."
        )
    try:
        listed = orjson.loads(body)["data"]
        count = len(listed)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return problem(
            check,
            f"{url} answers something that is not a list of models.",
            "Check `base_url`; for most providers it ends in /v1.",
        )
    return ok(check, f"{url} answers and lists {count} models.")
