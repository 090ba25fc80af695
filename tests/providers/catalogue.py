"""Which model name brings which behaviour, unless a test says otherwise."""

from . import behaviours
from .behaviours import Behaviour, fail_first, status


def catalogue() -> dict[str, Behaviour]:
    """A fresh table from model name to behaviour; its failure counters start at zero.

    A model that is not in it gets ``ordinary``.
    """
    table: dict[str, Behaviour] = {
        "fidelity": behaviours.fidelity,
        "slow": behaviours.slow,
        "slow-headers": behaviours.slow_headers,
        "split-event": behaviours.split_event,
        "split-character": behaviours.split_character,
        "break-at-event": behaviours.break_at_event,
        "break-mid-line": behaviours.break_mid_line,
        "break-unframed": behaviours.break_unframed,
        "reset-mid-stream": behaviours.reset_mid_stream,
        "no-done": behaviours.no_done,
        "error-event": behaviours.error_event,
        "endless": behaviours.endless,
        "empty-stream": behaviours.empty_stream,
        "empty-stream-broken": behaviours.empty_stream_broken,
        "empty-body": behaviours.empty_body,
        "html": behaviours.html,
        "invalid-json": behaviours.invalid_json,
        "rubbish-stream": behaviours.rubbish_stream,
        "close-before-headers": behaviours.close_before_headers,
        "hang-before-headers": behaviours.hang_before_headers,
        "hang-after-headers": behaviours.hang_after_headers,
        "hang-mid-stream": behaviours.hang_mid_stream,
        "gzip": behaviours.gzipped,
        "truncated": behaviours.truncated,
    }
    table |= {f"status-{code}": status(code) for code in (400, 401, 403, 404, 429, 500, 503)}
    table |= {f"fail-once-{code}": fail_first(1, status(code)) for code in (429, 500, 503)}
    table |= {f"fail-twice-{code}": fail_first(2, status(code)) for code in (429, 500, 503)}
    return table
