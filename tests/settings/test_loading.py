"""Settings come from the file, the environment and options, and a wrong one is named in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from ibex.settings import Settings, SettingsError, load
from ibex.settings.loading import _variables

SECRET = "hunter2-canary"

# Tables of the context, which are JSON in the environment.
MODELS = ("context", "context.models", "context.floors", "context.ceilings")
SECTIONS = ("embedder", "memory", "notifications", *MODELS)
# Two that need each other.
MAIL = ("notifications.smtp_url", "notifications.mail_from")
TLS = ("grpc_tls_certificate", "grpc_tls_key", "grpc_tls_client_ca")
# A value other than the default for every setting, as the environment has it and as it is read.
SCALARS: dict[str, tuple[str, Any]] = {
    "data_dir": ("/srv/ibex", Path("/srv/ibex")),
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("9000", 9000),
    "trusted_proxies": ("10.0.0.0/8, ::1", ("10.0.0.0/8", "::1/128")),
    "grpc_port": ("9001", 9001),
    "grpc_host": ("127.0.0.2", "127.0.0.2"),
    "public_url": ("https://ibex.example.org/", "https://ibex.example.org"),
    "workers": ("3", 3),
    "jobs": ("0", 0),
    "postgres_dsn": ("postgresql://u@h/d", SecretStr("postgresql://u@h/d")),
    "postgres_migration_dsn": ("host=h user=o", SecretStr("host=h user=o")),
    "postgres_connections": ("5", 5),
    "redis_url": ("rediss://h:7000/1", SecretStr("rediss://h:7000/1")),
    "queue_redis_url": ("unix:///run/valkey.sock", SecretStr("unix:///run/valkey.sock")),
    "redis_timeout_seconds": ("0.1", 0.1),
    "token_pepper": ("p" * 32, SecretStr("p" * 32)),
    "master_key": ("a" * 64, SecretStr("a" * 64)),
    "master_key_file": ("/srv/keys", Path("/srv/keys")),
    "organization_grace_days": ("3", 3),
    "agents_per_organization": ("5", 5),
    "users_per_organization": ("6", 6),
    "tokens_per_organization": ("7", 7),
    "token_cache_seconds": ("0", 0.0),
    "auth_timeout_seconds": ("0.2", 0.2),
    "body_limit_bytes": ("2048", 2048),
    "body_timeout_seconds": ("3", 3.0),
    "header_limit_bytes": ("8192", 8192),
    "message_limit": ("10", 10),
    "response_limit_bytes": ("4096", 4096),
    "session_idle_minutes": ("5", 5),
    "drift_baseline_calls": ("500", 500),
    "fingerprint_days": ("30", 30),
    "turn_buffer": ("100", 100),
    "clickhouse_url": ("http://u:p@h:8123/ibex", SecretStr("http://u:p@h:8123/ibex")),
    "clickhouse_timeout_seconds": ("3", 3.0),
    "s3_url": ("https://k:s@h/bucket/a?region=x", SecretStr("https://k:s@h/bucket/a?region=x")),
    "s3_timeout_seconds": ("3", 3.0),
    "content_days": ("30", 30),
    "content_turn_bytes": ("4096", 4_096),
    "trace_days": ("30", 30),
    "trace_backlog": ("1000", 1_000),
    "idempotency_hours": ("1", 1),
    "idempotency_limit_bytes": ("4096", 4096),
    "shutdown_seconds": ("2", 2.0),
    "log_level": ("debug", "debug"),
    "access_log": ("false", False),
    "otlp_endpoint": ("http://collector:4318/", "http://collector:4318"),
    "model_path": ("/models", Path("/models")),
    "model_hub_url": ("https://hub.example.com/", "https://hub.example.com"),
    "embedder.kind": ("none", "none"),
    "embedder.threads": ("2", 2),
    "embedder.url": ("http://10.0.0.7:8080/v1/", "http://10.0.0.7:8080/v1"),
    "embedder.model": ("some-model", "some-model"),
    "embedder.api_key": ("sk-embedding", SecretStr("sk-embedding")),
    "embedder.dimensions": ("768", 768),
    "embedder.timeout_seconds": ("2.5", 2.5),
    "memory.index_cache_mb": ("64", 64),
    "memory.exact_up_to": ("0", 0),
    "memory.embedder_patience_seconds": ("0.1", 0.1),
    "memory.load_patience_seconds": ("3", 3.0),
    "context.memory_tokens": ("0", 0),
    "context.deadline_ms": ("25", 25),
    "context.candidates": ("20", 20),
    "limits.token_rpm": ("7", 7),
    "limits.agent_rpm": ("8", 8),
    "limits.organization_rpm": ("9", 9),
    "limits.user_rpm": ("10", 10),
    "limits.token_tpm": ("11", 11),
    "limits.agent_tpm": ("12", 12),
    "limits.user_tpm": ("13", 13),
    "limits.organization_tpm": ("14", 14),
    "limits.token_concurrent": ("15", 15),
    "limits.agent_concurrent": ("16", 16),
    "limits.user_concurrent": ("17", 17),
    "limits.organization_concurrent": ("18", 18),
    "limits.month_thresholds": ("25, 90", (25, 90)),
    "dead_letter_days": ("9", 9),
    "dead_letters_per_organization": ("100", 100),
    "notifications.webhooks_per_organization": ("9", 9),
    "notifications.allow_http": ("true", True),
    "notifications.allowed_networks": ("10.0.0.0/8, 192.168.7.0/24", ("10.0.0.0/8", "192.168.7.0/24")),
    "notifications.timeout_seconds": ("3", 3.0),
    "notifications.connections": ("8", 8),
    "notifications.connections_per_webhook": ("2", 2),
    "notifications.payload_limit_bytes": ("2048", 2048),
    "notifications.disable_after_days": ("2", 2),
    "notifications.delivery_days": ("7", 7),
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `ibex.toml` of this checkout takes part."""
    monkeypatch.chdir(tmp_path)


def at(settings: Settings, path: str) -> object:
    found: object = settings
    for name in path.split("."):
        found = getattr(found, name)
    return found


def variable(path: str) -> str:
    return "IBEX_" + path.upper().replace(".", "_")


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(environment: dict[str, str] | None = None, file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environment or {}, file)
    return str(caught.value)


def test_every_setting_is_in_the_table_above() -> None:
    names = {".".join(path) for path in _variables().values()}
    assert names == {*SCALARS, *TLS, *MAIL, "limits", "providers", "aliases", *SECTIONS}


def test_the_files_for_tls_are_given_together(tmp_path: Path) -> None:
    from_environment = load({variable(path): f"/{path}" for path in TLS})
    from_file = load({}, file(tmp_path, "\n".join(f'{path} = "/{path}"' for path in TLS)))
    assert from_environment == from_file
    assert [at(from_file, path) for path in TLS] == [Path(f"/{path}") for path in TLS]


def test_mails_have_a_server_and_a_sender(tmp_path: Path) -> None:
    given = {"notifications.smtp_url": "smtp://mail:587", "notifications.mail_from": "ibex@example.org"}
    from_environment = load({variable(path): text for path, text in given.items()})
    lines = "\n".join(f"{path} = {json.dumps(text)}" for path, text in given.items())
    assert from_environment == load({}, file(tmp_path, lines))
    assert at(from_environment, "notifications.mail_from") == "ibex@example.org"
    for path, text in given.items():
        assert "need each other" in refusal({variable(path): text})


@pytest.mark.parametrize("path", SCALARS)
def test_every_setting_can_be_given_by_the_environment(path: str) -> None:
    text, value = SCALARS[path]
    assert at(load({}), path) != value
    assert at(load({variable(path): text}), path) == value


@pytest.mark.parametrize("path", SCALARS)
def test_every_setting_can_be_given_by_the_file(tmp_path: Path, path: str) -> None:
    text, value = SCALARS[path]
    literal = text if text in ("true", "false") or text.replace(".", "").isdecimal() else json.dumps(text)
    if path.endswith("host"):
        literal = json.dumps(text)
    section, _, name = path.rpartition(".")
    settings = load(
        {}, file(tmp_path, f"[{section}]\n{name} = {literal}" if section else f"{name} = {literal}")
    )
    assert at(settings, path) == value


def test_the_environment_wins_over_the_file_and_options_over_both(tmp_path: Path) -> None:
    toml = file(tmp_path, "port = 1\nworkers = 2\n[limits]\ntoken_rpm = 3\nagent_rpm = 4")
    settings = load({"IBEX_PORT": "5", "IBEX_LIMITS_TOKEN_RPM": "6"}, toml, {"port": 7, "workers": None})
    assert (settings.port, settings.workers) == (7, 2)
    assert (settings.limits.token_rpm, settings.limits.agent_rpm) == (6, 4)


def test_the_file_is_ibex_toml_here_unless_another_is_named(tmp_path: Path) -> None:
    (tmp_path / "ibex.toml").write_text("port = 1")
    other = file(tmp_path, "port = 2")
    assert load({}).port == 1
    assert load({"IBEX_CONFIG": str(other)}).port == 2
    assert load({"IBEX_CONFIG": str(tmp_path / "ibex.toml")}, other).port == 2


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    toml = file(tmp_path, "port = 1")
    empty = dict.fromkeys((*map(variable, SCALARS), "IBEX_PROVIDERS", "IBEX_LIMITS", "IBEX_CONFIG"), "")
    assert load(empty, toml) == load({}, toml)
    assert load(empty) == load({})


def test_tables_are_json_in_the_environment() -> None:
    settings = load(
        {
            "IBEX_PROVIDERS": '{"local": {"base_url": "http://127.0.0.1:11434/v1", "models": ["llama*"]}}',
            "IBEX_ALIASES": '{"fast": "llama-small", "good": ["llama-big", "llama-small"]}',
            "IBEX_LIMITS": '{"token_rpm": 1}',
            "IBEX_CONTEXT_MODELS": '{"house/model": {"context_window": 4096, "family": "o200k"}}',
            "IBEX_LIMITS_AGENT_RPM": "2",
        }
    )
    assert settings.providers["local"].models == ("llama*",)
    assert settings.aliases == {"fast": ("llama-small",), "good": ("llama-big", "llama-small")}
    assert (settings.limits.token_rpm, settings.limits.agent_rpm) == (1, 2)
    assert settings.context.models["house/model"].context_window == 4096
    assert settings.context.models["house/model"].family == "o200k"


def test_a_model_in_the_file_is_a_table_under_its_name(tmp_path: Path) -> None:
    toml = file(tmp_path, '[context.models."house/model:1.0"]\ncontext_window = 4096')
    assert load({}, toml).context.models["house/model:1.0"].context_window == 4096
    toml = file(tmp_path, '[context.models."m"]\ncontext_windows = 4096')
    assert "is not a setting of IBEX. Did you mean context_window?" in refusal(file=toml)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("IBEX_PROT", "1", "IBEX_PROT is not a setting of IBEX. Did you mean IBEX_PORT?"),
        ("IBEX_QQQQQ", "1", "IBEX_QQQQQ is not a setting of IBEX. docs/configuration.md lists them all."),
        ("IBEX_PORT", "many", "IBEX_PORT is wrong: should be a valid integer"),
        ("IBEX_PORT", "0", "IBEX_PORT is wrong: should be greater than or equal to 1."),
        ("IBEX_PORT", "65536", "IBEX_PORT is wrong: should be less than or equal to 65535."),
        ("IBEX_WORKERS", "1.5", "IBEX_WORKERS is wrong"),
        ("IBEX_SHUTDOWN_SECONDS", "nan", "IBEX_SHUTDOWN_SECONDS is wrong"),
        ("IBEX_SHUTDOWN_SECONDS", "inf", "IBEX_SHUTDOWN_SECONDS is wrong"),
        ("IBEX_TOKEN_CACHE_SECONDS", "31", "IBEX_TOKEN_CACHE_SECONDS is wrong: should be less than"),
        ("IBEX_LOG_LEVEL", "loud", "IBEX_LOG_LEVEL is wrong: should be 'debug', 'info'"),
        ("IBEX_ACCESS_LOG", "perhaps", "IBEX_ACCESS_LOG is wrong: should be a valid boolean"),
        ("IBEX_LIMITS_TOKEN_RPM", "0", "IBEX_LIMITS_TOKEN_RPM is wrong"),
        ("IBEX_TRUSTED_PROXIES", "::1,10.0.0.1/8", "IBEX_TRUSTED_PROXIES is wrong: must be a network"),
        ("IBEX_LIMITS", "5", "IBEX_LIMITS is wrong"),
        ("IBEX_PROVIDERS", "{", "IBEX_PROVIDERS must be a JSON object"),
        ("IBEX_PROVIDERS", "[]", "IBEX_PROVIDERS is wrong"),
        (
            "IBEX_PUBLIC_URL",
            "example.org",
            "IBEX_PUBLIC_URL is wrong: must be an http://",
        ),
        ("IBEX_OTLP_ENDPOINT", "collector:4317", "IBEX_OTLP_ENDPOINT is wrong: must be an http://"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "x", "OTEL_EXPORTER_OTLP_ENDPOINT is wrong: must be an http://"),
        ("OPENAI_BASE_URL", "api.example.org", "OPENAI_BASE_URL is wrong: must be an http://"),
        ("IBEX_POSTGRES_DSN", " ", "IBEX_POSTGRES_DSN is wrong: must be a PostgreSQL address"),
        ("IBEX_REDIS_URL", " ", "IBEX_REDIS_URL is wrong: must be an address such as"),
        ("IBEX_REDIS_URL", "http://h", "IBEX_REDIS_URL is wrong: must be an address such as"),
        ("IBEX_REDIS_URL", "unix+cluster:///x", "IBEX_REDIS_URL is wrong: must be an address such as"),
    ],
)
def test_a_wrong_variable_is_named_in_a_sentence(name: str, text: str, sentence: str) -> None:
    assert sentence in refusal({name: text})


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("prot = 1", "`prot` is not a setting of IBEX. Did you mean port?"),
        ('port = "many"', "`port` is wrong: should be a valid integer"),
        ("[limits]\ntoken_rmp = 1", "`limits.token_rmp` is not a setting of IBEX. Did you mean token_rpm?"),
        (
            "[providers.a]\nbase_ulr = ''",
            "`providers.a.base_ulr` is not a setting of IBEX. Did you mean base",
        ),
        (
            "[providers.a.timeouts]\nidel = 1",
            "`providers.a.timeouts.idel` is not a setting of IBEX.",
        ),
        ("[providers.a.retries]\nattempts = 11", "`providers.a.retries.attempts` is wrong"),
        ("[providers.a]\nbase_url = 'ftp://x'", "`providers.a.base_url` is wrong: must be an http://"),
        ("[providers.a]\nbase_url = 'http://x:port'", "`providers.a.base_url` is wrong: must be an http://"),
        (
            "[providers.a]\nkind = 'banana'",
            "`providers.a.kind` is wrong: should be 'openai', 'anthropic' or 'mock'",
        ),
        ("[providers.a]\napi_key = 'k'\napi_key_env = 'K'", "exclude each other"),
        ("[providers.'A b']\nkind = 'mock'", "is wrong: a name has 1 to 63 small letters, digits, "),
        ("[providers.a]\nmodels = 'gpt-*'", "`providers.a.models` is wrong: should be a list of texts"),
        ("[aliases]\nfast = 1", "`aliases.fast` is wrong: should be a list of texts"),
        ("[aliases]\nfast = []", "alias `fast` names no model"),
        ("limits = 5", "`limits` is wrong"),
        ("port = ", "is not valid TOML"),
        ("\xff", "`\xff` is not"),
    ],
)
def test_a_wrong_line_of_the_file_is_named_in_a_sentence(tmp_path: Path, toml: str, sentence: str) -> None:
    if sentence.startswith("`\xff"):
        (tmp_path / "settings.toml").write_bytes(b"\xff")
        assert "is not valid TOML" in refusal(file=tmp_path / "settings.toml")
        return
    assert sentence in refusal(file=file(tmp_path, toml))


def test_several_wrong_settings_are_all_named() -> None:
    told = refusal({"IBEX_PORT": "x", "IBEX_WORKERS": "y"})
    assert "IBEX_PORT" in told
    assert "IBEX_WORKERS" in told


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(file=tmp_path / "none.toml")
    assert "cannot be read: Is a directory" in refusal(file=tmp_path)


def test_a_key_is_taken_from_the_variable_that_is_named(tmp_path: Path) -> None:
    toml = file(tmp_path, "[providers.a]\napi_key_env = 'MY_KEY'")
    key = load({"MY_KEY": SECRET}, toml).providers["a"].api_key
    assert key is not None
    assert key.get_secret_value() == SECRET
    for environment in ({}, {"MY_KEY": ""}):
        assert "names MY_KEY, which the environment lacks" in refusal(environment, toml)


def test_openai_variables_alone_declare_a_provider_for_every_model() -> None:
    openai = load({"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": "http://h/v1/"}).providers["openai"]
    assert (openai.kind, openai.base_url, openai.models) == ("openai", "http://h/v1", ("*",))
    assert openai.api_key is not None
    assert openai.api_key.get_secret_value() == SECRET
    assert load({"OPENAI_API_KEY": SECRET}).providers["openai"].base_url == "https://api.openai.com/v1"
    assert load({"OPENAI_BASE_URL": "http://h/v1"}).providers["openai"].api_key is None


def test_anthropics_variable_declares_a_provider_beside_openais() -> None:
    providers = load({"ANTHROPIC_API_KEY": SECRET, "OPENAI_API_KEY": SECRET}).providers
    assert list(providers) == ["openai", "anthropic"]
    anthropic = providers["anthropic"]
    assert (anthropic.kind, anthropic.models) == ("anthropic", ("*",))
    assert (anthropic.base_url, anthropic.variable) == ("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY")
    assert anthropic.api_key is not None
    assert anthropic.api_key.get_secret_value() == SECRET
    assert list(load({"ANTHROPIC_API_KEY": SECRET}).providers) == ["anthropic"]


def test_a_provider_is_where_its_kind_is_unless_it_says_so(tmp_path: Path) -> None:
    toml = file(
        tmp_path,
        "[providers.a]\nkind = 'anthropic'\n[providers.b]\nkind = 'anthropic'\nbase_url = 'http://h/v1'",
    )
    providers = load({}, toml).providers
    assert [provider.base_url for provider in providers.values()] == [
        "https://api.anthropic.com/v1",
        "http://h/v1",
    ]


def test_a_provider_that_a_variable_declares_knows_which(tmp_path: Path) -> None:
    def variable_of(environment: dict[str, str]) -> str | None:
        return load(environment).providers["openai"].variable

    assert variable_of({"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": "http://h"}) == "OPENAI_API_KEY"
    assert variable_of({"OPENAI_BASE_URL": "http://h"}) == "OPENAI_BASE_URL"
    toml = file(tmp_path, "[providers.openai]\napi_key_env = 'OPENAI_API_KEY'")
    assert load({"OPENAI_API_KEY": SECRET}, toml).providers["openai"].variable is None


def test_declared_providers_are_not_mixed_with_the_openai_variables(tmp_path: Path) -> None:
    toml = file(tmp_path, "[providers.a]\nkind = 'mock'")
    assert list(load({"OPENAI_API_KEY": SECRET}, toml).providers) == ["a"]


def test_a_cluster_is_for_everything_but_the_queue() -> None:
    cluster = {"IBEX_REDIS_URL": "redis+cluster://h:7000"}
    assert "The settings do not fit together: the job queue cannot be on a cluster" in refusal(cluster)
    assert load({**cluster, "IBEX_JOBS": "0"}).redis_url is not None
    assert load({**cluster, "IBEX_QUEUE_REDIS_URL": "redis://h"}).redis_url is not None


@pytest.mark.parametrize(
    "header",
    [
        ("a b", "x"),
        ("", "x"),
        ("X-Key", f"{SECRET}\n"),
        ("X-Key", "a\x7f"),
        ("content-length", "1"),
        ("Host", "h"),
    ],
)
def test_a_header_that_cannot_be_sent_to_a_provider_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(SettingsError, match="header") as caught:
        load({"IBEX_PROVIDERS": json.dumps({"a": {"headers": dict([header])}})})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"IBEX_PROVIDERS": json.dumps({"a": {"api_key": f"{SECRET}\nX-Other: 1"}})}, "api_key"),
        (
            {"IBEX_PROVIDERS": json.dumps({"a": {"api_key_env": "KEY"}}), "KEY": f"{SECRET}\0"},
            "KEY has a line",
        ),
    ],
)
def test_a_key_that_cannot_stand_in_a_header_is_refused(environment: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        load(environment)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "environment",
    [
        {"OPENAI_API_KEY": f"{SECRET}\n"},
        {"IBEX_PROVIDERS": json.dumps({"openai": {"api_key_env": "KEY"}}), "KEY": f" {SECRET}\r\n"},
    ],
)
def test_the_line_end_behind_a_key_is_not_part_of_it(environment: dict[str, str]) -> None:
    key = load(environment).providers["openai"].api_key
    assert key is not None
    assert key.get_secret_value() == SECRET


def test_without_any_provider_there_is_the_mock() -> None:
    assert {name: p.kind for name, p in load({}).providers.items()} == {"mock": "mock"}


@pytest.mark.parametrize(
    "environment",
    [
        {"IBEX_POSTGRES_DSN": f"postgresql://u:{SECRET}@h/d"},
        {"IBEX_POSTGRES_MIGRATION_DSN": f"host=h password={SECRET}"},
        {"IBEX_REDIS_URL": f"redis://:{SECRET}@h:6379/0"},
        {"IBEX_TOKEN_PEPPER": SECRET},
        {"OPENAI_API_KEY": SECRET},
        {"IBEX_PROVIDERS": json.dumps({"a": {"headers": {"api-key": SECRET}}})},
        {"IBEX_PROVIDERS": json.dumps({"a": {"api_key_env": "KEY"}}), "KEY": SECRET},
    ],
)
def test_secrets_are_not_in_the_repr(environment: dict[str, str]) -> None:
    settings = load(environment)
    assert SECRET not in repr(settings) + str(settings)
    assert all(SECRET not in repr(value) for value in settings.providers.values())


@pytest.mark.parametrize(
    "environment",
    [
        {"IBEX_POSTGRES_DSN": f"postgresql//u:{SECRET}@h/d"},
        {"IBEX_POSTGRES_DSN": f"postgresql://u:x@{SECRET}@h/d"},
        {"IBEX_POSTGRES_DSN": f"postgresql://u:{SECRET}/x@h/d"},
        {"IBEX_POSTGRES_DSN": f"host=h password={SECRET} port"},
        {"IBEX_REDIS_URL": f"h:{SECRET}"},
        {"IBEX_REDIS_URL": f"redis://h:{SECRET}"},
        {"IBEX_PROVIDERS": json.dumps({"a": {"api_key": {"b": SECRET}}})},
        {"IBEX_PROVIDERS": json.dumps({"a": {"base_url": f"http://u:{SECRET}@h"}})},
        {"IBEX_PROVIDERS": json.dumps({"a": {"base_url": f"http://h:{SECRET}"}})},
        {"IBEX_PROVIDERS": json.dumps({"a": {"headers": [SECRET]}})},
        {"IBEX_PROVIDERS": f'{{"a": "{SECRET}'},
        {"IBEX_PROVIDERS": json.dumps({"a": SECRET})},
        {"IBEX_OTLP_ENDPOINT": f"http://u:{SECRET}@h"},
        {"IBEX_PORT": SECRET},
        {"OPENAI_API_KEY": SECRET, "IBEX_PORT": "x"},
    ],
)
def test_values_are_not_in_the_errors(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environment)
    error: BaseException | None = caught.value
    assert SECRET not in str(error)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_secret_in_a_file_that_is_not_toml_is_not_told(tmp_path: Path) -> None:
    for text in (f"token_pepper = {SECRET}", f'token_pepper = "{SECRET}', f"{SECRET}"):
        assert SECRET not in refusal(file=file(tmp_path, text))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).port = 1


def test_every_section_refuses_what_it_does_not_know() -> None:
    def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
        inner = [
            info.annotation
            for info in model.model_fields.values()
            if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
        ]
        return [model, *(found for each in inner for found in sections(each))]

    assert all(section.model_config["extra"] == "forbid" for section in sections(Settings))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
    ],
)
def test_the_address_that_is_shown_can_be_used(host: str, url: str) -> None:
    assert load({"IBEX_HOST": host}).url == url
    assert load({"IBEX_HOST": host, "IBEX_PUBLIC_URL": "https://ibex.example/"}).url == "https://ibex.example"


def test_a_remote_embedder_needs_to_be_described() -> None:
    with pytest.raises(SettingsError, match="a remote embedder needs `url`, `dimensions`"):
        load({"IBEX_EMBEDDER_KIND": "remote", "IBEX_EMBEDDER_MODEL": "some-model"})


def test_an_embedder_setting_that_is_misspelt_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Did you mean dimensions"):
        load({}, file(tmp_path, "[embedder]\ndimension = 4"))
