"""What `/metrics` shows: every step, bounded labels, the sum of all processes."""

import math
import os

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from ibex.telemetry import Instruments, Step
from ibex.telemetry.metrics import SECONDS, Metrics
from tests.faults.waiting import until
from tests.service import Service

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}


def parse(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(families: dict[str, Metric], sample: str, **labels: str) -> float:
    samples = [each for family in families.values() for each in family.samples]
    found = [each.value for each in samples if (each.name, each.labels) == (sample, labels)]
    assert len(found) == 1, f"{sample} {labels}"
    return found[0]


async def scrape(service: Service) -> dict[str, Metric]:
    async with service.http() as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return parse(answer.text)


async def chat(service: Service, **options: object) -> int:
    async with service.http() as client:
        return (await client.post("/v1/chat/completions", json={**CHAT, **options})).status_code


async def test_every_step_has_a_histogram_that_a_request_fills(service: Service) -> None:
    assert await chat(service) == 200
    families = await scrape(service)
    for step in Step:
        labels = {"step": str(step)}
        assert value(families, "ibex_step_seconds_count", **labels) >= 1
        assert value(families, "ibex_step_seconds_bucket", le="+Inf", **labels) >= 1
        assert value(families, "ibex_step_seconds_sum", **labels) >= 0
    assert value(families, "ibex_requests_total", operation="chat_completions", status="200") == 1
    assert value(families, "ibex_request_seconds_count", operation="chat_completions") == 1
    assert value(families, "ibex_overhead_seconds_count") == 1
    assert value(families, "ibex_requests_in_flight") == 0
    assert value(families, "ibex_web_processes") == 1


async def test_usage_and_attempts_are_counted(service: Service) -> None:
    await chat(service)
    await chat(service, stream=True)
    await until(lambda: service.instruments.tokens.total("openai", "output") == 226)
    families = await scrape(service)
    assert value(families, "ibex_tokens_total", provider="openai", direction="input") == 114
    assert value(families, "ibex_provider_attempts_total", provider="openai", outcome="ok") == 2


async def test_refusals_are_counted(service: Service) -> None:
    async with service.http() as client:
        await client.post("/v1/chat/completions", json=CHAT, headers={"Authorization": "Bearer nothing"})
    families = await scrape(service)
    assert value(families, "ibex_auth_refusals_total") == 1
    assert value(families, "ibex_requests_total", operation="chat_completions", status="401") == 1


async def test_no_request_makes_a_new_series(service: Service) -> None:
    def series(families: dict[str, Metric]) -> set[tuple[str, ...]]:
        return {
            (sample.name, *sorted(sample.labels.values()))
            for family in families.values()
            for sample in family.samples
        }

    before = series(await scrape(service))
    async with service.http() as client:
        for number in range(20):
            strange = f"strange-{number}"
            headers = {"X-IBEX-Session-ID": strange, "X-IBEX-User-ID": strange, "X-IBEX-Agent-ID": strange}
            await client.post("/v1/chat/completions", json={**CHAT, "model": strange, "user": strange})
            await client.post("/v1/chat/completions", json=CHAT, headers=headers)
            await client.get(f"/{strange}")
            await client.request(f"M{number}", "/v1/chat/completions")
    assert series(await scrape(service)) == before


def test_processes_are_added_up() -> None:
    instruments = Instruments(["openai"], processes=2)
    for process, requests in ((0, 2), (1, 3)):
        instruments.metrics.attach(process)
        for _ in range(requests):
            instruments.count_request("models", 200)
            instruments.step_seconds.observe(Step.AUTH, seconds=0.002)
        instruments.in_flight.add(amount=requests)
    families = parse(instruments.metrics.render().decode())
    assert value(families, "ibex_requests_total", operation="models", status="200") == 5
    assert value(families, "ibex_step_seconds_count", step="auth") == 5
    assert value(families, "ibex_step_seconds_sum", step="auth") == pytest.approx(0.01)
    assert value(families, "ibex_step_seconds_bucket", step="auth", le="0.001") == 0
    assert value(families, "ibex_step_seconds_bucket", step="auth", le="0.0025") == 5
    assert value(families, "ibex_requests_in_flight") == 5


def test_the_replacement_of_a_process_goes_on_counting_and_starts_its_gauges_anew() -> None:
    instruments = Instruments(["openai"], processes=2)
    for process in (0, 1):
        instruments.metrics.attach(process)
        instruments.count_request("models", 200)
        instruments.in_flight.add()
    instruments.metrics.attach(1)
    families = parse(instruments.metrics.render().decode())
    assert value(families, "ibex_requests_total", operation="models", status="200") == 2
    assert value(families, "ibex_requests_in_flight") == 1


def test_what_a_forked_process_counts_is_seen_by_its_siblings() -> None:
    instruments = Instruments([], processes=2)
    pid = os.fork()
    if pid == 0:
        instruments.metrics.attach(1)
        instruments.clients_gone.add(amount=7)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert instruments.clients_gone.total() == 7


def test_what_is_the_same_for_all_processes_is_not_added_up() -> None:
    instruments = Instruments([], processes=3)
    for process, waiting in ((0, 7), (1, 5), (2, 4)):
        instruments.metrics.attach(process)
        instruments.queue_jobs.set(waiting)
    assert value(parse(instruments.metrics.render().decode()), "ibex_queue_jobs") == 4
    instruments.queue_jobs.set(None)
    assert math.isnan(value(parse(instruments.metrics.render().decode()), "ibex_queue_jobs"))


@pytest.mark.parametrize("seconds", [0.0, *SECONDS, 1e9])
def test_an_observation_falls_into_the_bucket_that_bounds_it(seconds: float) -> None:
    metrics = Metrics()
    histogram = metrics.histogram("h", "H.")
    metrics.allocate()
    histogram.observe(seconds=seconds)
    families = parse(metrics.render().decode())
    for bound in SECONDS:
        assert value(families, "h_bucket", le=str(bound)) == float(seconds <= bound)
    assert value(families, "h_bucket", le="+Inf") == 1


def test_a_label_outside_its_set_is_an_error_and_no_new_series() -> None:
    instruments = Instruments([])
    with pytest.raises(KeyError):
        instruments.requests.add("chat_completions", "299")
    instruments.count_request("chat_completions", 299)
    assert instruments.requests.total("chat_completions", "other") == 1
