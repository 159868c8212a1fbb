"""The commands of docs/cluster.rst, from one server to the whole picture, as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.e2e.processes import HERE, NODE, ROOT, Process, start
from tests.e2e.test_mixed_cluster import NO_CLUSTER
from tests.e2e.test_proxies import wait_for_port
from tests.ports import free_port

DOCS = ROOT / "docs"
#: What this checkout has, and tests/e2e/package.json.
_INSTALLED, _PACKAGES = ("python3 -m venv", "pip install"), ("npm install", "mojo client")
#: Programs that go on, and what they say when they are there.
_SERVERS = {
    "redis-server": "eady to accept connections",
    "twistd": r"cluster: connected|on http",
    "node": "listening on",
    "nginx": "",
}


class ClusterDocumentTests(TestCase):
    skip = NO_CLUSTER
    timeout = 120

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        theirs = (6379, *range(8001, 8005), 8080)
        self.ports = {f"{port}": f"{free_port(self.addCleanup)}" for port in theirs}
        # What listens on a port; a second one takes the place of the first.
        self.running: dict[str, Process] = {}
        self.addCleanup(self.stop_all)
        text = (DOCS / "cluster.rst").read_text(encoding="utf-8")
        text, _, _ = text.partition("\nBy a stream\n")
        self.blocks = [
            [line.strip()[2:] for line in block.strip().splitlines()]
            for block in re.findall(r"\.\. code:: console\n((?:\n|    .*\n)+)", text)
        ]

    async def stop_all(self) -> None:
        for process in self.running.values():
            await process.stop()

    def here(self, text: str) -> str:
        """Put this test's ports in the place of the documents'."""
        return re.sub(r"\b(6379|800[1-4]|8080)\b", lambda found: self.ports[found[0]], text)

    async def run_block(self) -> None:
        """Run the next commands."""
        for command in self.blocks.pop(0):
            if command.startswith("cd "):
                self.folder /= command[3:]
            elif command.startswith(_PACKAGES):
                (self.folder / "node_modules").symlink_to(HERE / "node_modules")
                shutil.copy(DOCS / "cluster" / "server.mjs", self.folder)
            elif not command.startswith(_INSTALLED):
                await self.run_command(shlex.split(self.here(command)))

    async def run_command(self, parts: list[str]) -> None:
        program = shutil.which(parts[0], path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        self.assertIsNotNone(program, parts[0])
        redis = self.here("redis://localhost:6379")
        # Its workers write where the tests may, also if it was started by root.
        more = ["-g", "user root;"] if parts[0] == "nginx" and not os.getuid() else []
        if parts[0] not in _SERVERS:
            process = start(program, *parts[1:], cwd=self.folder)
            self.assertEqual(await process.ended, 0, process.output)
            return
        found = re.search("|".join(self.ports.values()), " ".join(parts))
        port = found[0] if found else self.here("8080")
        if port in self.running:
            self.running[port].signal("INT")
            await self.running.pop(port).ended
        process = start(program, *parts[1:], *more, cwd=self.folder, REDIS_URL=redis)
        self.running[port] = process
        await process.wait_for(_SERVERS[parts[0]])
        await wait_for_port(process, int(port))

    def chat(self, *addresses: str) -> Process:
        """Start clients of the app."""
        bases = [self.here(f"http://127.0.0.1:{address}") for address in addresses]
        return start(NODE, HERE / "js" / "run.mjs", "mixed.chat", *bases)

    async def succeed(self, client: Process) -> None:
        if await client.ended:
            outputs = [client.output, *(process.output for process in self.running.values())]
            self.fail("\n---\n".join(outputs))

    async def test_commands(self) -> None:
        """After each step the servers that there are by then hear each other's clients."""
        await self.run_block()
        await self.succeed(self.chat("8001"))
        await self.run_block()
        await self.succeed(self.chat("8001", "8002"))
        await self.run_block()
        await self.succeed(self.chat("8001", "8002", "8003", "8004"))
        nginx = (DOCS / "cluster" / "nginx.conf").read_text(encoding="utf-8")
        (self.folder / "../shop/nginx.conf").write_text(self.here(nginx), encoding="utf-8")
        await self.run_block()
        client = self.chat("8080#abcd")
        await client.wait_for("EMIT|Error")
        await self.run_block()
        await self.succeed(client)
        self.assertEqual(self.blocks, [])
