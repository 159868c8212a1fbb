"""Redis by TLS, from servers and from emitters."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mojo.emitter import Emitter, RedisUnavailable, TwistedEmitter
from tests.cluster.test_redis_bus import RedisTestCase
from tests.e2e.certificate import make_certificate
from tests.ports import free_port


class TlsTests(RedisTestCase):
    """It is at ``localhost``, with a certificate that we trust or not."""

    async def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        key, self.certificate = make_certificate(folder)
        port = free_port(self.addCleanup)
        self.options = (
            "--bind", "127.0.0.1", "--tls-port", str(port), "--tls-auth-clients", "no",
            "--tls-key-file", str(key), "--tls-cert-file", str(self.certificate),
            "--tls-ca-cert-file", str(self.certificate), "--requirepass", "secret",
        )  # fmt: skip
        await super().setUp()
        self.url = f"rediss://:secret@localhost:{port}/1"

    def trust(self) -> None:
        """Have the certificate among those that this machine trusts."""
        os.environ["SSL_CERT_FILE"] = str(self.certificate)
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE", None)

    async def test_trusted(self) -> None:
        """Databases are no walls for messages."""
        self.trust()
        bus, ear = await self.up(self.url)
        bus.publish(b"x#", b"1")
        await self.until(lambda: ear.got)
        emitter = Emitter(f"{self.url}?prefix=x")
        self.addCleanup(emitter.close)
        self.assertEqual(await deferToThread(emitter.emit, "x"), 1)
        self.assertEqual(await deferToThread(emitter.emit, "x"), 1)
        deferred = TwistedEmitter(f"{self.url}?prefix=x", reactor)
        self.addCleanup(deferred.close)
        self.assertEqual(await deferred.emit("x"), 1)
        await self.until(lambda: len(ear.got) == 4)

    async def test_not_trusted(self) -> None:
        bus = self.bus(self.url)
        bus.start()
        await self.until(lambda: bus._stats.reconnects > 1)
        self.assertFalse(bus.is_up)
        self.assertIn("certificate verify failed", self.lines[0])
        emitter = Emitter(self.url)
        error = await self.assertFailure(deferToThread(emitter.emit, "x"), RedisUnavailable)
        self.assertIn("certificate verify failed", str(error).lower().replace("_", " "))

    async def test_another_name(self) -> None:
        """A certificate of another host's is none."""
        self.trust()
        emitter = Emitter(self.url.replace("localhost", "127.0.0.1"))
        await self.assertFailure(deferToThread(emitter.emit, "x"), RedisUnavailable)
        bus = self.bus(self.url.replace("localhost", "127.0.0.1"))
        bus.start()
        await self.until(lambda: bus._stats.reconnects > 1)
        self.assertFalse(bus.is_up)
