"""docs/errors.md, made from the table of error codes.

`python -m tests.docs.error_page` writes it anew.
"""

from pathlib import Path

from ibex.errors import EXPLANATIONS, ErrorCode

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

_INTRODUCTION = """\
# Errors

Every error that IBEX answers has a `code`. Codes do not change; messages may.
The `docs_url` of an error leads to its entry here, served by IBEX itself at `/errors/CODE`.
[HTTP interface](api.md#errors) shows the whole object.

When a provider refuses a request, `code`, `type`, `param`, `message` and the status are the provider's own,
and `docs_url` names the code of IBEX. An error in the middle of a stream is its last event.

"""


def render() -> str:
    """The page, code after code in the order of the table."""
    overview = ["| code | status | type |", "|---|---|---|"]
    entries = []
    for code in ErrorCode:
        explanation = EXPLANATIONS[code]
        overview.append(f"| [`{code}`](#{code.lower()}) | {explanation.status} | `{explanation.type}` |")
        entries.append(f"## {code}\n\n{explanation.status}. {explanation.meaning}\n\n{explanation.remedy}\n")
    return _INTRODUCTION + "\n".join(overview) + "\n\n" + "\n".join(entries)


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
