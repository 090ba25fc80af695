"""Addresses of what IBEX talks to. A wrong one is never quoted, because it may hold a password."""

import re
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

_CLUSTER = "+cluster"


def http_url(value: str) -> str:
    """The address without a trailing slash. Raises `ValueError`."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_port_or_none(value):
        raise ValueError("must be an http:// or https:// address")
    if parts.username or parts.password:
        raise ValueError("must not carry credentials")
    return value.rstrip("/")


def postgres_dsn(value: SecretStr) -> SecretStr:
    """A connection string that libpq understands as it was meant. Raises `ValueError`."""
    try:
        parts = conninfo_to_dict(value.get_secret_value())
    except psycopg.ProgrammingError:
        parts = {}
    if not parts:
        raise ValueError("must be a PostgreSQL address such as postgresql://user:password@host:5432/database")
    is_torn = "@" in f"{parts.get('host', '')}{parts.get('dbname', '')}"
    if is_torn or not str(parts.get("port", "5432")).replace(",", "").isdecimal():
        raise ValueError("is torn apart by a special character in its password: write `@` as %40, `/` as %2F")
    return value


def redis_url(value: SecretStr) -> SecretStr:
    """`redis://`, `rediss://`, either with `+cluster`, or `unix://`. Raises `ValueError`."""
    text = value.get_secret_value()
    parts = urlsplit(text)
    has_host = parts.scheme.removesuffix(_CLUSTER) in {"redis", "rediss"} and parts.hostname
    has_path = parts.scheme == "unix" and parts.path
    if not (has_host or has_path) or not _has_port_or_none(text):
        raise ValueError("must be an address such as redis://:password@host:6379/0 or unix://:password@/path")
    return value


def clickhouse_url(value: SecretStr) -> SecretStr:
    """`http://` or `https://`, with a user and a database if they are needed. Raises `ValueError`."""
    text = value.get_secret_value()
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_port_or_none(text):
        raise ValueError("must be an address such as https://user:password@host:8443/ibex")
    if not re.fullmatch(r"/?|/[A-Za-z_][A-Za-z0-9_-]*", parts.path) or parts.query:
        raise ValueError("must end with the name of a database in letters, digits, `_` and `-`")
    return value


def s3_url(value: SecretStr) -> SecretStr:
    """`http://` or `https://`, with a bucket, and with a key and a region if needed. Raises `ValueError`."""
    text = value.get_secret_value()
    parts = urlsplit(text)
    has_host = parts.scheme in {"http", "https"} and parts.hostname and _has_port_or_none(text)
    if not has_host or (parts.username is None) != (parts.password is None):
        raise ValueError("must be an address such as https://key:secret@s3.eu-central-1.amazonaws.com/bucket")
    if not re.fullmatch(r"/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?", parts.path):
        raise ValueError("must name a bucket, and may name a prefix in it: https://host/bucket/prefix")
    if not re.fullmatch(r"(region=[a-z0-9-]+)?", parts.query) or parts.fragment:
        raise ValueError("may end with ?region=… and nothing else")
    return value


def smtp_url(value: SecretStr) -> SecretStr:
    """`smtps://`, `smtp://` or `smtp+plain://`, with a host. Raises `ValueError`."""
    text = value.get_secret_value()
    parts = urlsplit(text)
    has_host = parts.scheme in {"smtps", "smtp", "smtp+plain"} and parts.hostname
    if not has_host or not _has_port_or_none(text):
        raise ValueError("must be an address such as smtp://user:password@smtp.example.org:587")
    return value


def _has_port_or_none(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def ip(value: str) -> str:
    """An address and not a name, which may lead anywhere."""
    try:
        return str(ip_address(value))
    except ValueError:
        raise ValueError("must be an IP address such as 127.0.0.1") from None


def network(value: str) -> str:
    """A network in CIDR notation, or a lone address."""
    try:
        # A zone, as in fe80::%eth0/10, means something on one machine only.
        return str(ip_network("" if "%" in value else value))
    except ValueError:
        raise ValueError(
            "must be a network such as 10.0.0.0/8, without bits behind its prefix, or an address"
        ) from None
