"""The Redis client: one server or a cluster, chosen by the URL."""

from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as SingleRedis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException

Redis: TypeAlias = "SingleRedis | RedisCluster"

CLUSTER_SUFFIX = "+cluster"


class _Cluster(RedisCluster):
    """A cluster that may be away as a whole, and come back.

    redis-py forgets each node that it cannot reach, and with the last one the whole cluster for good; and the
    error it then raises is no `RedisError`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._first_nodes = dict(self.nodes_manager.startup_nodes)

    async def initialize(self) -> Self:
        if not self.nodes_manager.startup_nodes:
            self.nodes_manager.startup_nodes.update(self._first_nodes)
        try:
            await super().initialize()
        except RedisClusterException as error:
            raise RedisConnectionError("no node of the cluster can be reached") from error
        return self

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*arguments, **options)
        except RedisClusterException as error:
            raise RedisConnectionError("no node of the cluster serves this key") from error


def connect(url: str, *, timeout: float, connections: int = 64) -> Redis:
    """A client that has not connected yet.

    Parameters
    ----------
    url: `redis://`, `rediss://` or `unix://`; with `+cluster` after the scheme, a cluster.
    timeout: seconds to connect, and for each command; a caller on the request path cannot wait longer.
    connections: most connections this process holds; who finds none free waits `timeout` for one.
    """
    parts = urlsplit(url)
    if parts.scheme.endswith(CLUSTER_SUFFIX):
        plain = urlunsplit(parts._replace(scheme=parts.scheme.removesuffix(CLUSTER_SUFFIX)))
        cluster: RedisCluster = _Cluster.from_url(
            plain, socket_timeout=timeout, socket_connect_timeout=timeout, max_connections=connections
        )
        return cluster
    return connect_single(url, timeout=timeout, connections=connections)


def connect_single(url: str, *, timeout: float, connections: int = 8) -> SingleRedis:
    """A client of one server, for what a cluster does not need: pub/sub reaches all of its nodes from any."""
    parts = urlsplit(url)
    plain = urlunsplit(parts._replace(scheme=parts.scheme.removesuffix(CLUSTER_SUFFIX)))
    pool = BlockingConnectionPool.from_url(
        plain,
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        client_name="ibex",
    )
    single: SingleRedis = SingleRedis.from_pool(pool)
    return single


def organization_key(org_id: object, *parts: object) -> str:
    """A key of one organization; the braces keep all of them on one cluster slot."""
    return ":".join(("ibex", f"{{{org_id}}}", *(str(part) for part in parts)))
