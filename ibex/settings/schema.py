"""What can be configured: names, types, bounds and defaults."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)

from ibex.settings.addresses import clickhouse_url, http_url, ip, network, postgres_dsn, redis_url, s3_url
from ibex.settings.headers import api_key, headers
from ibex.settings.notifications import NotificationSettings
from ibex.settings.section import Section

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=1, le=65_535)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000_000)]
PerMinuteOrNone = Annotated[int | None, Field(ge=1, le=1_000_000_000)]
TokensOrNone = Annotated[int | None, Field(ge=1, le=1_000_000_000_000)]
ConcurrentOrNone = Annotated[int | None, Field(ge=1, le=1_000_000)]
Percent = Annotated[int, Field(ge=1, le=100)]
PerOrganization = Annotated[int, Field(ge=1, le=10_000_000)]
CidrNetwork = Annotated[str, AfterValidator(network)]
IpAddress = Annotated[str, AfterValidator(ip)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
ApiKey = Annotated[SecretStr, AfterValidator(api_key)]
Headers = Annotated[Mapping[str, str], AfterValidator(headers)]
PostgresDsn = Annotated[SecretStr, AfterValidator(postgres_dsn)]
ClickHouseUrl = Annotated[SecretStr, AfterValidator(clickhouse_url)]
S3Url = Annotated[SecretStr, AfterValidator(s3_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(redis_url)]
ModelName = Annotated[str, Field(min_length=1, max_length=256)]
PriceOrNone = Annotated[float | None, Field(ge=0, le=1_000_000)]
MemoryKind = Literal["factual", "preference", "behavioral", "episodic", "procedural"]
TokensOfKind = Annotated[int, Field(ge=0, le=100_000)]
# Vocabularies that models count their tokens in.
TokenFamily = Literal[
    "o200k", "cl100k", "claude", "gemini", "llama", "mistral", "deepseek", "qwen", "grok", "command", "other"
]


class TimeoutSettings(Section):
    """Seconds a provider may take: to accept a connection, to begin its answer, between two chunks of it."""

    connect: Seconds = 5.0
    first_byte: Seconds = 300.0
    idle: Seconds = 60.0


class RetrySettings(Section):
    """Retries before the first byte: how many, and the backoff's first and longest wait in seconds."""

    attempts: Annotated[int, Field(ge=0, le=10)] = 2
    backoff: Seconds = 0.25
    longest_wait: Seconds = 8.0


class ProviderSettings(Section):
    """One provider: how to reach it and which models it serves (exact names or `*` patterns)."""

    kind: Literal["openai", "anthropic", "mock"] = "openai"
    base_url: HttpUrl = "https://api.openai.com/v1"
    api_key: ApiKey | None = None
    api_key_env: str | None = None
    models: tuple[str, ...] = ("*",)
    headers: Headers = Field(default_factory=dict, repr=False)
    timeouts: TimeoutSettings = TimeoutSettings()
    retries: RetrySettings = RetrySettings()
    connections: Annotated[int, Field(ge=1, le=100_000)] = 1_000

    _variable: str | None = PrivateAttr(None)

    @property
    def variable(self) -> str | None:
        """The standard variable that alone declares this provider, such as `OPENAI_API_KEY`."""
        return self._variable

    def declared_by(self, variable: str) -> Self:
        """The same provider, declared by that variable."""
        copy = self.model_copy()
        copy._variable = variable
        return copy

    @model_validator(mode="before")
    @classmethod
    def _is_where_its_kind_is(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("kind") == "anthropic" and "base_url" not in value:
            return {**value, "base_url": "https://api.anthropic.com/v1"}
        return value

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if self.api_key is not None and self.api_key_env is not None:
            raise ValueError("`api_key` and `api_key_env` exclude each other")
        return self


class LimitSettings(Section):
    """Requests and tokens per minute, and requests at a time, of each token, agent, user and organization.

    `month_thresholds` are the percentages of what is allowed for a month at which somebody is told.
    """

    token_rpm: PerMinute = 600
    agent_rpm: PerMinute = 1_200
    user_rpm: PerMinuteOrNone = None
    organization_rpm: PerMinute = 6_000
    token_tpm: TokensOrNone = None
    agent_tpm: TokensOrNone = None
    user_tpm: TokensOrNone = None
    organization_tpm: TokensOrNone = None
    token_concurrent: ConcurrentOrNone = None
    agent_concurrent: ConcurrentOrNone = None
    user_concurrent: ConcurrentOrNone = None
    organization_concurrent: ConcurrentOrNone = None
    month_thresholds: Annotated[tuple[Percent, ...], Field(max_length=20)] = (50, 80, 100)

    @field_validator("month_thresholds", mode="before")
    @classmethod
    def _percentages_may_be_separated_by_commas(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [stripped for part in value.split(",") if (stripped := part.strip())]


class EmbedderSettings(Section):
    """What makes vectors of texts: a model that runs here, a service, or nothing."""

    kind: Literal["local", "remote", "none"] = "local"
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    url: HttpUrl | None = None
    model: str | None = None
    api_key: ApiKey | None = None
    dimensions: Annotated[int | None, Field(ge=1, le=4_000)] = None
    timeout_seconds: Seconds = 10.0

    @model_validator(mode="after")
    def _a_service_is_described(self) -> Self:
        missing = [name for name in ("url", "model", "dimensions") if getattr(self, name) is None]
        if self.kind == "remote" and missing:
            raise ValueError(f"a remote embedder needs {', '.join(f'`{name}`' for name in missing)}")
        return self


class MemorySettings(Section):
    """How a process searches memories."""

    index_cache_mb: Annotated[int, Field(ge=0, le=1_048_576)] = 256
    exact_up_to: Annotated[int, Field(ge=0, le=1_000_000)] = 20_000
    embedder_patience_seconds: Seconds = 0.5
    load_patience_seconds: Seconds = 10.0


class ModelSettings(Section):
    """What a model can take, in tokens, and what it costs, in US dollars per million of them, where the
    catalogue of the package does not know it or is wrong."""

    context_window: TokensOrNone = None
    longest_answer: TokensOrNone = None
    family: TokenFamily = "other"
    input_price: PriceOrNone = None
    cached_input_price: PriceOrNone = None
    output_price: PriceOrNone = None

    @model_validator(mode="after")
    def _says_something_whole(self) -> Self:
        if self.context_window is None and {"longest_answer", "family"} & self.model_fields_set:
            raise ValueError("`longest_answer` and `family` need `context_window`")
        prices = (self.input_price, self.output_price)
        if None in prices and (prices != (None, None) or self.cached_input_price is not None):
            raise ValueError("a price needs both `input_price` and `output_price`")
        if self.context_window is None and self.input_price is None:
            raise ValueError("a model needs a `context_window` or prices")
        return self


class ContextSettings(Section):
    """What agents are told besides what their callers send."""

    memory_tokens: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    deadline_ms: Annotated[int, Field(ge=1, le=10_000)] = 40
    candidates: Annotated[int, Field(ge=1, le=100)] = 50
    floors: Mapping[MemoryKind, TokensOfKind] = Field(default_factory=dict)
    ceilings: Mapping[MemoryKind, TokensOfKind] = Field(default_factory=dict)
    models: Mapping[ModelName, ModelSettings] = Field(default_factory=dict)


class Settings(Section):
    """Everything that can be configured. Defaults start a complete service on this machine."""

    data_dir: Path = Path(".ibex")
    host: str = "127.0.0.1"
    port: Port = 8080
    trusted_proxies: Annotated[tuple[CidrNetwork, ...], Field(max_length=64)] = ()
    public_url: HttpUrl | None = None
    grpc_port: Port | None = None
    grpc_host: IpAddress = "127.0.0.1"
    grpc_tls_certificate: Path | None = None
    grpc_tls_key: Path | None = None
    grpc_tls_client_ca: Path | None = None
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    jobs: Annotated[int, Field(ge=0, le=64)] = 1
    postgres_dsn: PostgresDsn | None = None
    postgres_migration_dsn: PostgresDsn | None = None
    postgres_connections: Annotated[int, Field(ge=1, le=1_000)] = 10
    redis_url: RedisUrl | None = None
    queue_redis_url: RedisUrl | None = None
    redis_timeout_seconds: Seconds = 0.05
    clickhouse_url: ClickHouseUrl | None = None
    clickhouse_timeout_seconds: Seconds = 10.0
    s3_url: S3Url | None = None
    s3_timeout_seconds: Seconds = 30.0
    content_days: Annotated[int, Field(ge=1, le=3_650)] = 365
    content_turn_bytes: Annotated[int, Field(ge=1_024, le=16 << 20)] = 256 << 10
    trace_days: Annotated[int, Field(ge=1, le=3_650)] = 90
    token_pepper: SecretStr | None = None
    master_key: SecretStr | None = None
    master_key_file: Path | None = None
    token_cache_seconds: Annotated[float, Field(ge=0, le=30)] = 30.0
    auth_timeout_seconds: Seconds = 0.05
    agents_per_organization: PerOrganization = 10_000
    users_per_organization: PerOrganization = 10_000
    tokens_per_organization: PerOrganization = 100_000
    body_limit_bytes: Annotated[int, Field(ge=1_024, le=1 << 30)] = 1 << 20
    body_timeout_seconds: Seconds = 30.0
    header_limit_bytes: Annotated[int, Field(ge=4_096, le=1 << 20)] = 32 << 10
    message_limit: Annotated[int, Field(ge=1, le=1_000_000)] = 2_048
    response_limit_bytes: Annotated[int, Field(ge=1_024, le=1 << 32)] = 64 << 20
    session_idle_minutes: Annotated[int, Field(ge=1, le=525_600)] = 60
    turn_buffer: Annotated[int, Field(ge=1, le=10_000_000)] = 20_000
    trace_backlog: Annotated[int, Field(ge=1, le=100_000_000)] = 150_000
    organization_grace_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    drift_baseline_calls: Annotated[int, Field(ge=200, le=3_000)] = 1_000
    fingerprint_days: Annotated[int, Field(ge=1, le=3_650)] = 90
    dead_letter_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    dead_letters_per_organization: PerOrganization = 10_000
    idempotency_hours: Annotated[int, Field(ge=1, le=720)] = 24
    idempotency_limit_bytes: Annotated[int, Field(ge=1_024, le=4 << 20)] = 1 << 20
    shutdown_seconds: Seconds = 30.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    access_log: bool = True
    otlp_endpoint: HttpUrl | None = None
    model_path: Path | None = None
    model_hub_url: HttpUrl = "https://huggingface.co"
    embedder: EmbedderSettings = EmbedderSettings()
    memory: MemorySettings = MemorySettings()
    context: ContextSettings = ContextSettings()
    notifications: NotificationSettings = NotificationSettings()
    limits: LimitSettings = LimitSettings()
    providers: Mapping[Name, ProviderSettings] = Field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks_may_be_separated_by_commas(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [stripped for part in value.split(",") if (stripped := part.strip())]

    @field_validator("aliases", mode="before")
    @classmethod
    def _one_target_is_a_list_of_one(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: (target,) if isinstance(target, str) else target for name, target in value.items()}

    @model_validator(mode="after")
    def _aliases_have_targets(self) -> Self:
        for name, targets in self.aliases.items():
            if not targets:
                raise ValueError(f"alias `{name}` names no model")
        return self

    @model_validator(mode="after")
    def _master_keys_are_in_one_place(self) -> Self:
        if self.master_key is not None and self.master_key_file is not None:
            raise ValueError("`master_key` and `master_key_file` exclude each other")
        return self

    @model_validator(mode="after")
    def _jobs_have_a_queue(self) -> Self:
        """arq changes several keys at once, which a cluster allows on one slot only."""
        url = self.redis_url.get_secret_value() if self.redis_url else ""
        if url.partition(":")[0].endswith("+cluster") and self.jobs and self.queue_redis_url is None:
            raise ValueError(
                "the job queue cannot be on a cluster; "
                "set `queue_redis_url` to a single server, or `jobs` to 0"
            )
        return self

    @model_validator(mode="after")
    def _grpc_is_sealed_or_stays_here(self) -> Self:
        if (self.grpc_tls_certificate is None) != (self.grpc_tls_key is None):
            raise ValueError("`grpc_tls_certificate` and `grpc_tls_key` need each other")
        if self.grpc_tls_client_ca is not None and self.grpc_tls_certificate is None:
            raise ValueError("`grpc_tls_client_ca` needs `grpc_tls_certificate` and `grpc_tls_key`")
        if self.grpc_tls_certificate is None and not ip_address(self.grpc_host).is_loopback:
            raise ValueError(
                f"gRPC carries tokens, so on {self.grpc_host} it needs TLS; "
                "set `grpc_tls_certificate` and `grpc_tls_key`, or leave `grpc_host` at 127.0.0.1"
            )
        if self.grpc_port is not None and self.grpc_port == self.port:
            raise ValueError("`grpc_port` and `port` must not be the same")
        return self

    @property
    def url(self) -> str:
        """The base of every address that is shown to people."""
        return self.public_url or f"http://{_printable_host(self.host)}:{self.port}"

    @property
    def is_embedded(self) -> bool:
        """Whether any bundled server must be started."""
        return self.postgres_dsn is None or self.redis_url is None


def _printable_host(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
