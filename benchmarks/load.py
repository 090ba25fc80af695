"""A load generator that costs little: one HTTP/1.1 keep-alive connection per worker, raw bytes, uvloop.

    python -m benchmarks.load http://127.0.0.1:9100/v1/chat/completions --connections 16 --seconds 5 --stream

Closed loop by default: each connection sends its next request when the last one is answered. With a rate the
requests are due at fixed times and latency counts from then, so that a stall is charged to every request it
delays and not to one.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.answers import Answer, StreamAnswer, WholeAnswer

MODEL = "gpt-4o-mini"
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer briefly."},
    {
        "role": "user",
        "content": "What does a gateway do? Explain in two sentences, and mention rate limits, fallbacks and "
        "retries along the way.",
    },
]
# Seconds that requests in flight at the end may take before they count as errors.
GRACE = 20.0


@dataclass(frozen=True, slots=True)
class Target:
    """An address to send chat completions to."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = MODEL

    def request(self, *, stream: bool) -> bytes:
        """The bytes of one request."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": MESSAGES,
            "temperature": 0.2,
            "max_tokens": 256,
        }
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        content = json.dumps(body, separators=(",", ":")).encode()
        parts = urlsplit(self.url)
        headers = {
            "host": parts.netloc,
            "content-type": "application/json",
            "content-length": str(len(content)),
            **self.headers,
        }
        lines = [f"POST {parts.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + content


@dataclass(frozen=True, slots=True)
class Load:
    """How to send: connections, seconds, whether to stream, and requests per second (None: closed loop)."""

    connections: int
    seconds: float
    stream: bool = False
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. Times are in milliseconds; ``first_*`` is the first event of a stream."""

    count: int
    errors: int
    seconds: float
    per_second: float
    p50: float
    p95: float
    p99: float
    first_p50: float
    first_p99: float
    fewest_events: int
    error_sample: str | None = None


@dataclass(slots=True)
class Tally:
    """What all connections of a run write to."""

    latencies: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, answer: Answer, began: float, ended: float) -> None:
        """Record one answer; one that is not right counts as an error and not as a request."""
        if answer.fault is not None:
            self.errors.append(answer.fault)
            return
        self.latencies.append(ended - began)
        if isinstance(answer, StreamAnswer):
            self.firsts.append(answer.first_event_at - began)
            self.events.append(answer.events)

    def result(self, elapsed: float) -> Result:
        """Sum up."""
        return Result(
            count=len(self.latencies),
            errors=len(self.errors),
            seconds=round(elapsed, 3),
            per_second=round(len(self.latencies) / elapsed, 1),
            p50=percentile(self.latencies, 0.50),
            p95=percentile(self.latencies, 0.95),
            p99=percentile(self.latencies, 0.99),
            first_p50=percentile(self.firsts, 0.50),
            first_p99=percentile(self.firsts, 0.99),
            fewest_events=min(self.events, default=0),
            error_sample=self.errors[0] if self.errors else None,
        )


class Connection(asyncio.Protocol):
    """One worker: sends a request, reads its answer, sends the next."""

    def __init__(self, request: bytes, load: Load, position: int, tally: Tally) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._request = request
        self._tally = tally
        self._kind = StreamAnswer if load.stream else WholeAnswer
        self._interval = load.connections / load.rate if load.rate else 0.0
        self._due = perf_counter() + (position / load.rate if load.rate else 0.0)
        self._end = perf_counter() + load.seconds
        self._answer: Answer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request when it is due."""
        self._transport = cast("asyncio.Transport", transport)
        self._send_when_due()

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer; at its end, go on."""
        now = perf_counter()
        if self._answer is None or not self._answer.feed(data, now):
            return
        self._tally.add(self._answer, self._began, now)
        self._answer = None
        self._due += self._interval
        if now >= self._end:
            self._transport.close()
        elif self._interval:
            self._send_when_due()
        else:
            self._send(began=now)

    def connection_lost(self, exc: Exception | None) -> None:
        """End this worker; an answer that was under way is an error."""
        if self._answer is not None:
            self._tally.errors.append(f"connection lost: {exc}")
        if not self.done.done():
            self.done.set_result(None)

    def abandon(self) -> None:
        """Give up on what is under way."""
        self._transport.abort()

    def _send_when_due(self) -> None:
        wait = self._due - perf_counter()
        if self._due >= self._end:
            self._transport.close()
        elif wait > 0:
            # The timer's own lateness (uvloop counts in milliseconds) is not the gateway's.
            self._loop.call_later(wait, lambda: self._send(began=perf_counter()))
        else:
            self._send(began=self._due if self._interval else perf_counter())

    def _send(self, began: float) -> None:
        if self._transport.is_closing():
            return
        self._answer = self._kind()
        self._began = began
        self._transport.write(self._request)


async def run(target: Target, load: Load) -> Result:
    """Send load to a target and sum up what came back; raises OSError when it cannot be reached."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    request = target.request(stream=load.stream)
    parts = urlsplit(target.url)
    connections: list[Connection] = []

    def connection() -> Connection:
        connections.append(Connection(request, load, len(connections), tally))
        return connections[-1]

    began = perf_counter()
    for _ in range(load.connections):
        await loop.create_connection(connection, parts.hostname or "127.0.0.1", parts.port or 80)
    try:
        await asyncio.wait_for(asyncio.gather(*(each.done for each in connections)), load.seconds + GRACE)
    except TimeoutError:
        for each in connections:
            each.abandon()
        await asyncio.sleep(0)
    return tally.result(perf_counter() - began)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of times in seconds, in milliseconds; 0 when there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 3)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Load for an OpenAI-compatible address.")
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--rate", type=float, help="requests per second in all; default: as fast as answered")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--token", default="sk-bench")
    options = parser.parse_args()
    target = Target(options.url, {"authorization": f"Bearer {options.token}"}, options.model)
    load = Load(options.connections, options.seconds, options.stream, options.rate)
    print(json.dumps(asdict(uvloop.run(run(target, load)))))


if __name__ == "__main__":
    main()
