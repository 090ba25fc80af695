"""The series that IBEX exports."""

from collections.abc import Iterable

from ibex.telemetry.metrics import Metrics
from ibex.telemetry.steps import Step

OPERATIONS = ("chat_completions", "messages", "embeddings", "models", "management", "other")
STATUSES = tuple(
    str(status)
    for status in (
        200,
        201,
        202,
        204,
        207,
        400,
        401,
        403,
        404,
        405,
        408,
        409,
        413,
        415,
        422,
        429,
        431,
        499,
        500,
        501,
        502,
        503,
        504,
        529,
    )
)
OTHER_STATUS = "other"
RPC_METHODS = ("ValidateToken", "ValidateAgent", "other")
RPC_STATUSES = (
    "OK",
    "CANCELLED",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
    "INTERNAL",
)
# What is written behind the answer.
ROWS = ("trace", "audit", "receipt", "lesson", "limit", "content")
# What the workers do, by name.
JOBS = (
    "turn.capture",
    "session.end_idle",
    "session.archive",
    "archive.expire",
    "organization.erase",
    "dead_letter.expire",
    "fingerprint.forget",
    "limit.forget",
    "notification.forget",
    "trace.expire",
    "trace.prepare",
)
OTHER_JOB = "other"
JOB_OUTCOMES = ("done", "failed", "dead", "lost")
# The rungs of the ladder, as receipts name them.
CONTEXT_RUNGS = ("complete", "hot_cache", "directive_only", "none", "skipped")
ATTEMPT_OUTCOMES = (
    "ok",
    "error",
    "invalid",
    "rate_limited",
    "rate_limited_own_key",
    "refused_credentials",
    "refused_credentials_own_key",
    "timeout",
    "unreachable",
)


class Instruments:
    """Every metric, declared in one place. Labels come from fixed sets and from the settings only."""

    def __init__(self, providers: Iterable[str], processes: int = 1) -> None:
        names = tuple(providers)
        self.metrics = metrics = Metrics(processes)
        self.requests = metrics.counter(
            "ibex_requests", "Answered requests.", operation=OPERATIONS, status=(*STATUSES, OTHER_STATUS)
        )
        self.request_seconds = metrics.histogram(
            "ibex_request_seconds", "From arrival to the last byte.", operation=OPERATIONS
        )
        self.overhead_seconds = metrics.histogram(
            "ibex_overhead_seconds", "From arrival to the first byte, without the provider's share."
        )
        self.step_seconds = metrics.histogram("ibex_step_seconds", "Time in each step.", step=tuple(Step))
        self.in_flight = metrics.gauge("ibex_requests_in_flight", "Requests being answered.")
        self.clients_gone = metrics.counter("ibex_clients_gone", "Clients that left before the end.")
        self.attempts = metrics.counter(
            "ibex_provider_attempts", "Calls to providers.", provider=names, outcome=ATTEMPT_OUTCOMES
        )
        self.tokens = metrics.counter(
            "ibex_tokens", "Tokens used.", provider=names, direction=("input", "cached", "output")
        )
        self.breaker_open = metrics.gauge(
            "ibex_provider_breaker_open", "Web processes that leave the provider alone.", provider=names
        )
        self.judged_locally = metrics.counter(
            "ibex_limits_judged_locally", "Requests counted without Redis, under a conservative share."
        )
        self.auth_refusals = metrics.counter("ibex_auth_refusals", "Requests refused for who they come from.")
        self.context_rungs = metrics.counter(
            "ibex_context_rungs", "Calls by how much of their context they got.", rung=CONTEXT_RUNGS
        )
        self.memories_told = metrics.counter("ibex_memories_told", "Memories that models were told.")
        self.rows_waiting = metrics.gauge("ibex_rows_waiting", "Rows not yet written.", kind=ROWS)
        self.rows_dropped = metrics.counter("ibex_rows_dropped", "Rows lost.", kind=ROWS)
        self.rpc_calls = metrics.counter(
            "ibex_grpc_calls", "Answered calls over gRPC.", method=RPC_METHODS, status=RPC_STATUSES
        )
        self.rpc_seconds = metrics.histogram(
            "ibex_grpc_call_seconds", "From a call's arrival to its answer.", method=RPC_METHODS
        )
        self.jobs = metrics.counter(
            "ibex_jobs", "Tries of jobs in this replica.", job=(*JOBS, OTHER_JOB), outcome=JOB_OUTCOMES
        )
        self.queue_jobs = metrics.sample("ibex_queue_jobs", "Jobs in the queue of all replicas.")
        self.queue_oldest = metrics.sample(
            "ibex_queue_oldest_seconds", "How long the job has been due that is due for longest."
        )
        self.queue_seen = metrics.sample(
            "ibex_queue_seen_seconds", "How long ago a worker of any replica looked at the queue."
        )
        self.traces_waiting = metrics.sample(
            "ibex_traces_waiting", "Traces of all replicas that wait to be stored."
        )
        self.traces_oldest = metrics.sample(
            "ibex_traces_oldest_seconds", "How long the oldest trace has waited to be stored."
        )
        self.processes = metrics.gauge("ibex_web_processes", "Web processes that serve.")
        metrics.allocate()

    def count_request(self, operation: str, status: int) -> None:
        text = str(status)
        self.requests.add(operation, text if text in STATUSES else OTHER_STATUS)

    def count_job(self, name: str, outcome: str) -> None:
        self.jobs.add(name if name in JOBS else OTHER_JOB, outcome)

    def count_rpc(self, method: str, status: str, seconds: float) -> None:
        self.rpc_calls.add(method, status)
        self.rpc_seconds.observe(method, seconds=seconds)
