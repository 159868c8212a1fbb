"""`mojo.redis.sentinel` with a real master, a replica, and sentinels."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.cluster.test_redis_bus import RedisTestCase
from tests.e2e.test_proxies import free_port
from tests.redis_server import RedisServer, SentinelServer


class SentinelTestCase(RedisTestCase):
    """A master, a replica that follows it, and a sentinel that knows both."""

    async def setUp(self) -> None:
        await super().setUp()
        self.master, self.replica = RedisServer().with_port(), RedisServer().with_port()
        for server in (self.master, self.replica):
            self.addCleanup(server.clean)
            await server.start()
        await self.follow(self.replica, self.master)
        self.sentinel = SentinelServer(self.master)
        self.addCleanup(self.sentinel.clean)
        await self.sentinel.start()
        # The first of the sentinels is not there.
        self.url = self.sentinel_url(free_port(), self.sentinel.port)

    def sentinel_url(self, *ports: int, more: str = "") -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"redis+sentinel://{hosts}/shop{more}"

    async def follow(self, replica: RedisServer, master: RedisServer) -> None:
        await replica.ask("REPLICAOF", "127.0.0.1", str(master.port))
        await self.answers(replica, b"master_link_status:up", "INFO", "replication")

    async def answers(self, server: RedisServer, wanted: bytes, *command: str) -> None:
        """Ask until the answer has something in it."""
        for _ in range(600):
            if wanted in await server.ask(*command):
                return
            await deferLater(reactor, 0.02)
        self.fail(f"{command} did not give {wanted}")

    async def fail_over(self) -> None:
        """Have the sentinel make the replica the master, as soon as it knows it."""
        await self.answers(self.sentinel, b"+OK", "SENTINEL", "FAILOVER", "shop")
        await self.is_master(self.replica)

    async def is_master(self, server: RedisServer) -> None:
        wanted = str(server.port).encode()
        await self.answers(self.sentinel, wanted, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "shop")
        await self.answers(server, b"role:master", "INFO", "replication")

    def told(self) -> tuple[int, int]:
        return (
            len([line for line in self.lines if "is away" in line]),
            len([line for line in self.lines if "is back" in line]),
        )
