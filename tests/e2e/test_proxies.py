"""Two nodes behind a real nginx and a real HAProxy, with the configurations of the documents."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.e2e.certificate import make_certificate
from tests.e2e.processes import HERE, NO_NODE, NODE, PROJECT, ROOT, Process, start, start_server
from tests.ports import free_port

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
NGINX = shutil.which("nginx", path=_PATH)
HAPROXY = shutil.which("haproxy", path=_PATH)

_AROUND_NGINX = """
daemon off;
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{sample}
}}
"""


async def wait_for_port(process: Process, port: int) -> None:
    """Wait until a process listens that has no word for it."""
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    while True:
        if process.ended.called:
            raise AssertionError(process.output)
        try:
            connected = await endpoint.connect(Factory.forProtocol(Protocol))
        except ConnectError:
            await deferLater(reactor, 0.05)
        else:
            connected.transport.abortConnection()
            return


class ProxyTests:
    """What works behind a proxy; see below for which."""

    timeout = 120
    nodes: dict[str, tuple[Process, str]]

    async def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.nodes = {}
        starts = [self.start_node(name) for name in "ab"]
        for node in starts:
            await node
        self.key, self.certificate = make_certificate(self.folder)
        self.port = free_port(self.addCleanup)
        self.proxy = self.start_proxy()
        self.addCleanup(self.proxy.stop)
        await wait_for_port(self.proxy, self.port)
        self.base = f"https://127.0.0.1:{self.port}"

    async def start_node(self, name: str) -> None:
        folder = self.folder / name
        folder.mkdir()
        settings = (
            "TRUSTED_PROXIES=['127.0.0.1']", "READY_PATH=/readyz", "DRAIN_SECONDS=3",
            f"SOCKET_IO.sid_prefix={name}.", "SOCKET_IO.max_payload=8_000_000",
        )  # fmt: skip
        arguments = [part for setting in settings for part in ("--settings", setting)]
        process, base = await start_server(folder, PROJECT, *arguments)
        self.addCleanup(process.stop)
        self.nodes[name] = process, base.removeprefix("http://")

    def fill_in(self, sample: str, *more: tuple[str, str]) -> str:
        """Put this test's ports and files in the place of the documents'."""
        text = (ROOT / "docs" / sample).read_text(encoding="utf-8")
        for theirs, ours in (
            ("127.0.0.1:8001", self.nodes["a"][1]),
            ("127.0.0.1:8002", self.nodes["b"][1]),
            *more,
        ):
            self.assertIn(theirs, text)
            text = text.replace(theirs, ours)
        configuration = self.folder / sample
        configuration.write_text(text, encoding="utf-8")
        return text

    async def scenario(self, name: str) -> None:
        client = self.start_client(name)
        await self.check(client)

    def start_client(self, name: str) -> Process:
        return start(
            NODE, HERE / "js" / "run.mjs", name, self.base,
            SELF_SIGNED="1", NODE_TLS_REJECT_UNAUTHORIZED="0",
        )  # fmt: skip

    async def check(self, client: Process) -> None:
        if await client.ended:
            outputs = [
                client.output,
                self.proxy.output,
                *(p.output for p, _ in self.nodes.values()),
            ]
            self.fail("\n---\n".join(outputs))

    async def test_exchange(self) -> None:
        """Both transports, the upgrade, both kinds of path."""
        await self.scenario("exchange")

    async def test_binary(self) -> None:
        await self.scenario("binary")

    async def test_upgrade(self) -> None:
        await self.scenario("upgrade")

    async def test_secure(self) -> None:
        """The visitor came by https, and from an address of its own."""
        await self.scenario("secure")

    async def test_spread(self) -> None:
        """Clients go to both nodes, whatever transport and without a cookie."""
        await self.scenario("proxied.spread")

    async def test_large(self) -> None:
        await self.scenario("proxied.large")

    async def test_slow_upload(self) -> None:
        await self.scenario("proxied.drip")

    async def test_slow_reader(self) -> None:
        await self.scenario("proxied.patient")

    async def test_drain(self) -> None:
        """A node is stopped as by ``systemctl stop``: nothing is seen but one reconnect."""
        client = self.start_client("proxied.drained")
        pid = int((await client.wait_for(r"STOP (\d+)\n")).group(1))
        (leaving,) = [p for p, _ in self.nodes.values() if p.transport.pid == pid]
        leaving.signal("TERM")
        moved = await client.wait_for(r"MOVED (\d+)\n|AssertionError")
        await self.check(client)
        self.assertGreater(int(moved.group(1)), 3)
        await leaving.ended
        self.assertNotIn("Traceback", leaving.output)
        # The one that is left serves on.
        await self.scenario("exchange")

    async def test_dead_node(self) -> None:
        """A node that is gone without a word is not missed, and the other knows visitors."""
        process, _ = self.nodes["a"]
        process.signal("KILL")
        await process.ended
        await self.scenario("exchange")
        await self.scenario("registry")


class NginxTests(ProxyTests, TestCase):
    skip = NO_NODE or (None if NGINX else "needs nginx")

    def start_proxy(self) -> Process:
        sample = self.fill_in(
            "nginx.conf",
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("/etc/ssl/example.com.pem", str(self.certificate)),
            ("/etc/ssl/example.com.key", str(self.key)),
        )
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            _AROUND_NGINX.format(folder=self.folder, sample=sample, user=_user()), encoding="utf-8"
        )
        return start(NGINX, "-p", self.folder, "-e", "stderr", "-c", configuration)


class HAProxyTests(ProxyTests, TestCase):
    skip = NO_NODE or (None if HAPROXY else "needs haproxy")

    def start_proxy(self) -> Process:
        both = self.folder / "both.pem"
        both.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        self.fill_in(
            "haproxy.cfg",
            ("bind :443 ssl", f"bind 127.0.0.1:{self.port} ssl"),
            ("/etc/ssl/example.com.pem", str(both)),
        )
        return start(HAPROXY, "-db", "-dW", "-f", self.folder / "haproxy.cfg")


def _user() -> str:
    """Let nginx's workers write where the tests may, if it was started by root."""
    if os.getuid():
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};"
