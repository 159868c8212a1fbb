"""Behind a real nginx, with the configuration that the documents give."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket

from tests.e2e.certificate import make_certificate
from tests.e2e.processes import HERE, NO_NODE, NODE, ROOT, start
from tests.e2e.test_clients import ServerTestCase

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

_AROUND = """
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NginxTests(ServerTestCase):
    skip = NO_NODE or (None if NGINX else "needs nginx")
    arguments = ("--settings", "TRUSTED_PROXIES=['127.0.0.1']")

    async def setUp(self) -> None:
        await super().setUp()
        port = free_port()
        key, certificate = make_certificate(self.folder)
        sample = (ROOT / "docs" / "nginx.conf").read_text(encoding="utf-8")
        for theirs, ours in (
            ("127.0.0.1:8000", self.base.removeprefix("http://")),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("/etc/ssl/example.com.pem", str(certificate)),
            ("/etc/ssl/example.com.key", str(key)),
        ):
            self.assertEqual(sample.count(theirs), 1, theirs)
            sample = sample.replace(theirs, ours)
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            _AROUND.format(folder=self.folder, sample=sample, user=_user()), encoding="utf-8"
        )
        self.nginx = start(NGINX, "-p", self.folder, "-e", "stderr", "-c", configuration)
        self.addCleanup(self.nginx.stop)
        await self.nginx.wait_for("start worker process ")
        self.base = f"https://127.0.0.1:{port}"

    async def scenario(self, name: str) -> None:
        await self.succeed(
            start(
                NODE, HERE / "js" / "run.mjs", name, self.base,
                SELF_SIGNED="1", NODE_TLS_REJECT_UNAUTHORIZED="0",
            )
        )  # fmt: skip

    async def test_exchange(self) -> None:
        """Both transports, the upgrade, both kinds of path."""
        await self.scenario("exchange")

    async def test_binary(self) -> None:
        await self.scenario("binary")

    async def test_registry(self) -> None:
        """Visitors are known by their cookies."""
        await self.scenario("registry")

    async def test_secure(self) -> None:
        """The visitor came by https, and from an address of its own."""
        await self.scenario("secure")


def _user() -> str:
    """Let nginx's workers write where the tests may, if it was started by root."""
    if os.getuid():
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};"
