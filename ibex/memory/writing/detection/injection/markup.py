"""Signs that lie in the form of a text: chat templates, roles, closing tags, images that carry data away.

These look at the text as it stands, since their punctuation is what makes them work.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ibex.memory.writing.detection.injection.signal import Sign


@dataclass(frozen=True, slots=True)
class _Form:
    rule: str
    weight: float
    needles: tuple[str, ...]
    pattern: re.Pattern[str]


_FORMS = (
    # Tokens of ChatML, Llama 2 and 3, Gemma, Phi, DeepSeek and others.
    _Form(
        "chat_template",
        0.7,
        ("<|", "<\uff5c", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "_of_turn>", "[SYSTEM_PROMPT]"),
        re.compile(
            r"<[|\uff5c][A-Za-z_▁]{1,30}[|\uff5c]>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|\[/?SYSTEM_PROMPT\]"
        ),
    ),
    _Form(
        "role_tag",
        0.55,
        ("<", "["),
        re.compile(
            r"(?i)<(?:/\s?)?(?:system|system[_-]?prompt|system[_-]?reminder|developer|assistant|instructions?)\s?>"
            r"|\[/?(?:system|developer)(?: (?:message|prompt|note|override))?\]"
        ),
    ),
    _Form(
        "closing_tag",
        0.5,
        ("</",),
        re.compile(
            r"(?i)</\s?(?:memory|memories|context|document|documents|user|user_message|tool_result|data)\s?>"
        ),
    ),
    _Form(
        "tool_call",
        0.5,
        ("<tool", "<function", "<invoke", "function_call"),
        re.compile(r"<(?:tool_call|tool_use|function_calls?|function=|invoke )[^\n>]{0,60}>?"),
    ),
    _Form(
        "role_message",
        0.6,
        ("role",),
        re.compile(r"[\"']role[\"']\s{0,3}:\s{0,3}[\"'](?:system|developer)[\"']"),
    ),
    # `System: Windows 11` is a line of a support ticket; alone it decides nothing.
    _Form(
        "role_line",
        0.35,
        ("ystem", "YSTEM", "eveloper"),
        re.compile(
            r"(?im)^[ \t#>*]{0,8}(?:system|developer)(?: (?:message|prompt|note|override"
            r"|instruction))?\*{0,2}\s{0,2}:"
        ),
    ),
    _Form(
        "turns",
        0.3,
        ("Human:", "Assistant:", "USER:", "ASSISTANT:"),
        re.compile(
            r"\n[ \t]{0,4}(?:Human|User|USER|HUMAN): ?[^\n]{0,400}\n{1,3}[ \t]{0,4}(?:Assistant|ASSISTANT):"
        ),
    ),
    # What a renderer would fetch, and so tell its address: data in the query of a picture.
    _Form(
        "image_exfiltration",
        0.7,
        ("![", "<img"),
        re.compile(
            r"(?i)(?:!\[[^\]\n]{0,200}\]\(\s{0,3}|<img[^>\n]{0,200}?src\s{0,2}=\s{0,2}[\"']?)https?://[^\s)\"'>]{1,300}?"
            r"[?&/=](?:\{|\[|<|%7b|\$|(?:data|q|query|secret|conversation|history|payload|leak|exfil|d|c|s|m|msg)="
            r"(?:[^\s)\"'>]{0,8}[{\[<$]|[A-Za-z0-9+/_-]{40}))[^\s)\"'>]{0,300}"
        ),
    ),
    _Form(
        "link_with_slot",
        0.45,
        ("](http",),
        re.compile(r"\]\(https?://[^\s)]{1,300}?[?&][a-zA-Z_]{1,20}=(?:\{|\[|<|\$\{|%7[Bb])[^)\n]{0,100}\)"),
    ),
    _Form(
        "hidden_markup",
        0.3,
        ("style", "<details", "hidden"),
        re.compile(
            r"(?i)style\s{0,2}=\s{0,2}[\"'][^\"'\n]{0,120}?(?:display\s{0,2}:\s{0,2}none|visibility\s{0,2}:\s{0,2}hidden"
            r"|font-size\s{0,2}:\s{0,2}[01](?:px|pt|em)?\b|opacity\s{0,2}:\s{0,2}0\b|color\s{0,2}:\s{0,2}(?:white|#fff))"
        ),
    ),
    _Form(
        "script_link",
        0.4,
        ("javascript:", "data:text/html"),
        re.compile(r"(?i)\]\(\s{0,3}(?:javascript:|data:text/html)"),
    ),
)
_COMMENT_START = re.compile(r"<!--|\[//\]: # \(")
_COMMENT_END = re.compile(r"-->|\)\n|\)$")
# A comment that says nothing to a model is a remark of the page's author.
_COMMENT_WEIGHT = 0.1


def find_markup(text: str) -> Iterator[Sign]:
    """Signs of form. HTML comments are among them, at little weight: what stands in them adds its own."""
    for form in _FORMS:
        if any(needle in text for needle in form.needles):
            for match in form.pattern.finditer(text):
                yield Sign(form.rule, form.weight, *match.span())
    for start, end in comments(text):
        yield Sign("comment", _COMMENT_WEIGHT, start, end)


def comments(text: str) -> Iterator[tuple[int, int]]:
    """The spans of HTML and Markdown comments. One without an end goes on to the end of the text."""
    position = 0
    while start := _COMMENT_START.search(text, position):
        end = _COMMENT_END.search(text, start.end())
        position = end.end() if end else len(text)
        yield start.start(), position
