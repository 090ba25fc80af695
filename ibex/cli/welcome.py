"""What a person sees when IBEX is ready."""

from ibex.auth import Credentials
from ibex.settings import Settings

_SNIPPET = """
Python:

  from openai import OpenAI

  client = OpenAI(base_url="{base_url}", api_key="{token}")
  messages = [{{"role": "user", "content": "Hello!"}}]
  for chunk in client.chat.completions.create(model="{model}", messages=messages, stream=True):
      print(chunk.choices[0].delta.content or "", end="", flush=True)

Shell:

  curl {base_url}/chat/completions \\
    -H "Authorization: Bearer {token}" -H "Content-Type: application/json" \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""


def welcome(settings: Settings, credentials: Credentials | None) -> str:
    """The base URL, the token and a first call to paste."""
    base_url = f"{settings.url}/v1"
    if credentials is None:
        return (
            f"\nIBEX is ready at {base_url}\n\n"
            "This database has tokens already. Use one of them, or create one: ibex token create NAME\n"
        )
    lines = [
        "",
        "IBEX is ready.",
        "",
        f"  base URL     {base_url}",
        f"  token        {credentials.token}",
        f"  kept in      {settings.data_dir / 'credentials.json'}",
        f"  providers    {', '.join(settings.providers)}",
    ]
    return (
        "\n".join(lines)
        + "\n"
        + _SNIPPET.format(base_url=base_url, token=credentials.token, model=_model(settings))
    )


def _model(settings: Settings) -> str:
    """A name that some provider is sure to take."""
    for name, provider in settings.providers.items():
        if provider.kind == "mock":
            return "mock"
        for model in provider.models:
            if not any(character in model for character in "*?["):
                return f"{name}/{model}"
    return "gpt-4o-mini"
