"""What a person sees when IBEX is ready."""

from collections.abc import Mapping

from ibex.auth import Credentials
from ibex.errors import Dialect
from ibex.memory.embedding import Readiness
from ibex.settings import Settings

# Flush left, and with an empty line behind the loop, so that a Python prompt takes it as it is pasted.
_FIRST_SNIPPET = """
Python:

from openai import OpenAI

client = OpenAI(base_url="{base_url}", api_key="{token}")
messages = [{{"role": "user", "content": "Hello!"}}]
for chunk in client.chat.completions.create(model="{model}", messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)

print()

Shell:

curl {base_url}/chat/completions \\
  -H "Authorization: Bearer {token}" -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""

_FIRST_ANTHROPIC_SNIPPET = """
Python:

from anthropic import Anthropic

client = Anthropic(base_url="{url}", api_key="{token}")
messages = [{{"role": "user", "content": "Hello!"}}]
with client.messages.stream(model="{model}", max_tokens=1000, messages=messages) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)

print()

Shell:

curl {base_url}/messages \\
  -H "x-api-key: {token}" -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "max_tokens": 1000, "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""

# What goes to a log collector is not to carry an administrator's token, start after start.
_LATER_SNIPPET = """
Python:

import json
from openai import OpenAI

kept = json.load(open("{path}"))
client = OpenAI(base_url=kept["base_url"], api_key=kept["token"])
messages = [{{"role": "user", "content": "Hello!"}}]
print(client.chat.completions.create(model="{model}", messages=messages).choices[0].message.content)

Shell:

TOKEN=$(python3 -c 'import json; print(json.load(open("{path}"))["token"])')
curl {base_url}/chat/completions \\
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""

_LATER_ANTHROPIC_SNIPPET = """
Python:

import json
from anthropic import Anthropic

kept = json.load(open("{path}"))
client = Anthropic(base_url="{url}", api_key=kept["token"])
messages = [{{"role": "user", "content": "Hello!"}}]
print(client.messages.create(model="{model}", max_tokens=1000, messages=messages).content[0].text)

Shell:

TOKEN=$(python3 -c 'import json; print(json.load(open("{path}"))["token"])')
curl {base_url}/messages \\
  -H "x-api-key: $TOKEN" -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "max_tokens": 1000, "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""

_SNIPPETS: Mapping[tuple[Dialect, bool], str] = {
    ("openai", True): _FIRST_SNIPPET,
    ("openai", False): _LATER_SNIPPET,
    ("anthropic", True): _FIRST_ANTHROPIC_SNIPPET,
    ("anthropic", False): _LATER_ANTHROPIC_SNIPPET,
}


def welcome(
    settings: Settings, credentials: Credentials | None, retrieval: Readiness, *, shows_token: bool
) -> str:
    """The base URL, where the token is, how memories are found, and a first call to paste."""
    base_url = f"{settings.url}/v1"
    if credentials is None:
        return (
            f"\nIBEX is ready at {base_url}\n{retrieval.sentence}\n\n"
            "This database has tokens already. Use one of them, or create one: ibex token create NAME\n"
            "Ctrl-C stops IBEX.\n"
        )
    path = (settings.data_dir / "credentials.json").absolute()
    dialect = _dialect(settings)
    lines = [
        "",
        "IBEX is ready.",
        "",
        f"  base URL     {base_url}",
        *([f"  token        {credentials.token}"] if shows_token else []),
        f"  token in     {path}",
        f"  providers    {_providers(settings)}",
        "",
        retrieval.sentence,
        "",
        "Ctrl-C stops it.",
        "The next steps are in docs/quickstart.md.",
        f"The Python below needs: pip install {dialect}",
    ]
    snippet = _SNIPPETS[dialect, shows_token].format(
        url=settings.url, base_url=base_url, token=credentials.token, path=path, model=_model(settings)
    )
    return "\n".join(lines) + "\n" + snippet


def _providers(settings: Settings) -> str:
    return ", ".join(
        f"{name} (from {provider.variable})" if provider.variable else name
        for name, provider in settings.providers.items()
    )


def _model(settings: Settings) -> str:
    """A name that some provider is sure to take."""
    for alias in settings.aliases:
        return alias
    for name, provider in settings.providers.items():
        if provider.kind == "mock":
            return "mock"
        for model in provider.models:
            if not any(character in model for character in "*?["):
                return f"{name}/{model}"
    return "gpt-4o-mini" if _dialect(settings) == "openai" else "claude-haiku-4-5"


def _dialect(settings: Settings) -> Dialect:
    """OpenAI's, unless every provider speaks Anthropic's alone."""
    kinds = {provider.kind for provider in settings.providers.values()}
    return "anthropic" if kinds == {"anthropic"} else "openai"
