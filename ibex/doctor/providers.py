"""The providers: whether each answers, with its key, what a provider answers."""

import asyncio
from collections.abc import Iterable, Iterator

import aiohttp
import orjson

from ibex.doctor.finding import Finding, ok, problem, warning
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
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        return list(await asyncio.gather(*(_ask(session, name, p) for name, p in providers)))


async def _ask(session: aiohttp.ClientSession, name: str, provider: ProviderSettings) -> Finding:
    """`GET /models`, as the proxy would send it: with the key, and following no redirect."""
    check, url = f"provider {name}", f"{provider.base_url}/models"
    headers = dict(provider.headers)
    if provider.api_key is not None:
        headers["Authorization"] = f"Bearer {provider.api_key.get_secret_value()}"
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            return judge(check, url, response.status, await response.content.read(_MOST_BYTES))
    except TimeoutError:
        return problem(
            check, f"{url} did not answer within {_PATIENCE:g} s.", "Check `base_url` and the network."
        )
    except aiohttp.ClientSSLError as error:
        return problem(
            check,
            f"{url} has a certificate that is not trusted ({type(error).__name__}).",
            "Check `base_url`, and the certificates of this machine.",
        )
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or type(error.os_error).__name__
        return problem(check, f"{url} cannot be reached: {reason}.", "Check `base_url` and the network.")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return problem(check, f"{url} does not speak HTTP ({type(error).__name__}).", "Check `base_url`.")


def judge(check: str, url: str, status: int, body: bytes) -> Finding:
    """What an answer says about the settings."""
    if status in {401, 403}:
        return problem(
            check, f"The key is refused ({status}).", "Correct `api_key`, `api_key_env` or OPENAI_API_KEY."
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
