"""The floors of the house: imports go down, never up, never in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import mojo

ROOT = Path(mojo.__file__).parent

# From the ground up.  A module may import what stands before it, and its own floor; within
# a floor what counts is that there is no circle.
FLOORS = (
    (
        "mojo.errors",
        "mojo.checks",
        "mojo.checked",
        "mojo.settings",
        "mojo.secret_files",
        "mojo.calls",
        "mojo.guards",
        "mojo.users",
        "mojo.credential",
        "mojo.dotted",
        "mojo.heap",
    ),
    ("mojo.engineio", "mojo.redis"),
    ("mojo.socketio",),
    ("mojo.client",),
    ("mojo.sessions", "mojo.web", "mojo.project", "mojo.auth", "mojo.cluster"),
    (
        "mojo.site",
        "mojo.draining",
        "mojo.health",
        "mojo.listening",
        "mojo.unix_port",
        "mojo.service",
        "mojo.parts",
        "mojo.patience",
        "mojo.visitors",
        "mojo.visitor_acts",
        "mojo.stats",
        "mojo.emitter",
        "mojo.warm_up",
        "mojo.socket_handlers",
        "mojo.workers",
        "mojo",
    ),
    ("mojo.signals", "mojo.systemd"),
    ("mojo.tap", "mojo.cli", "mojo.workers.serve", "mojo.workers.__main__"),
    ("mojo.testing",),
)


def modules() -> dict[str, Path]:
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The modules that a file imports anywhere in it, whatever is behind an ``if``."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            for alias in node.names:
                names.add(f"{node.module}.{alias.name}")
            if not all(_is_module(f"{node.module}.{alias.name}") for alias in node.names):
                names.add(node.module)  # names of its own, and not only modules in it
    return frozenset(names)


@cache
def _is_module(name: str) -> bool:
    path = ROOT.parent / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def floor_of(module: str) -> int:
    best = (-1, -1)
    for number, prefixes in enumerate(FLOORS):
        for prefix in prefixes:
            if module == prefix or (prefix != "mojo" and module.startswith(prefix + ".")):
                best = max(best, (len(prefix), number))
    assert best[1] >= 0, f"{module} is on no floor"
    return best[1]


class LayerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.modules = modules()
        self.imports = {
            name: {i for i in imports_of(path) if i in self.modules and i != name}
            for name, path in self.modules.items()
        }
        # The package's face hands names on lazily; it is asked by nobody inside.
        self.imports["mojo"] = set()

    def test_imports_go_down(self) -> None:
        wrong = [
            f"{name} imports {imported}"
            for name, imports in self.imports.items()
            for imported in imports
            if floor_of(imported) > floor_of(name)
        ]
        self.assertEqual(wrong, [])

    def test_no_circles(self) -> None:
        done: set[str] = set()

        def visit(name: str, trail: tuple[str, ...]) -> None:
            self.assertNotIn(name, trail, " -> ".join((*trail, name)))
            if name not in done:
                for imported in sorted(self.imports[name]):
                    visit(imported, (*trail, name))
                done.add(name)

        for name in sorted(self.modules):
            visit(name, ())

    def importers(self, package: str) -> set[str]:
        return {
            name
            for name, path in self.modules.items()
            if any(i == package or i.startswith(package + ".") for i in imports_of(path))
        }

    def test_autobahn_is_in_two_files(self) -> None:
        """One for the server, one for the client."""
        self.assertEqual(
            self.importers("autobahn"),
            {"mojo.engineio.transports.autobahn_protocol", "mojo.client.websocket_protocol"},
        )

    def test_msgpack_is_in_one_file(self) -> None:
        """Who speaks JSON need not have it."""
        self.assertEqual(self.importers("msgpack"), {"mojo.socketio.msgpack_values"})
        self.assertEqual(
            self.importers("mojo.socketio.msgpack_values"),
            {"mojo.socketio.msgpack_parser", "mojo.cluster.wire", "mojo.cluster.streams_wire"},
        )
        self.assertEqual(self.importers("mojo.socketio.msgpack_parser"), {"mojo.socketio.formats"})

    def test_pydantic_is_in_one_file(self) -> None:
        """Who checks nothing need not have it."""
        self.assertEqual(self.importers("pydantic"), {"mojo.socketio.validation"})
        self.assertEqual(self.importers("mojo.socketio.validation"), {"mojo.socketio.event"})

    def test_no_server_waits_for_the_client(self) -> None:
        """Whoever imports ``mojo`` does not import ``mojo.client`` with it."""
        importers = self.importers("mojo.client")
        self.assertEqual({n for n in importers if not n.startswith("mojo.client")}, set())

    def test_txredisapi_is_in_one_file(self) -> None:
        """Who has no Redis does not wait for it: it is imported when the settings name one."""
        self.assertEqual(self.importers("txredisapi"), {"mojo.redis.protocol"})
        importers = {name for name in self.importers("mojo.redis") if "mojo.redis" not in name}
        self.assertEqual(
            importers,
            {
                "mojo.sessions.redis_store",
                "mojo.cluster.kept_stream",
                "mojo.cluster.redis_bus",
                "mojo.cluster.redis_marks",
                "mojo.cluster.redis_node",
                "mojo.cluster.redis_stream",
                "mojo.cluster.refusal",
                "mojo.cluster.settling",
                "mojo.cluster.url",
                "mojo.emitter.blocking",
                "mojo.emitter.deferred",
            },
        )
        self.assertEqual(self.importers("mojo.sessions.redis_store"), {"mojo.parts"})
        # parts.py has it in a function, and for the type checker.
        self.assertEqual(self.importers("mojo.cluster.redis_node"), {"mojo.parts"})
        for name in ("redis_bus", "redis_marks"):
            importers = self.importers(f"mojo.cluster.{name}")
            self.assertEqual(importers, {"mojo.cluster.redis_node"})
        modules = "sys, mojo.service, mojo.tap, mojo.workers.node"
        code = f"import {modules}; print('txredisapi' in sys.modules)"
        output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        self.assertEqual(output.stdout, b"False\n")

    def test_jwt_is_in_one_file(self) -> None:
        """Who reads no tokens need not have it."""
        self.assertEqual(self.importers("jwt"), {"mojo.auth.tokens"})
        self.assertEqual(self.importers("mojo.auth.tokens"), {"mojo.auth"})

    def test_socketio_knows_no_http(self) -> None:
        web = {n for n in self.importers("twisted.web") if n.startswith("mojo.socketio")}
        self.assertEqual(web, set())

    def test_engineio_knows_no_socketio_word(self) -> None:
        for name, path in self.modules.items():
            if name.startswith("mojo.engineio"):
                code = ast.dump(ast.parse(path.read_text(encoding="utf-8")))
                for word in ("socketio", "namespace", "Namespace", "attachment"):
                    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                        if isinstance(node, ast.Name | ast.Attribute):
                            text = node.id if isinstance(node, ast.Name) else node.attr
                            self.assertNotIn(word, text, name)
                self.assertNotIn("mojo.socketio", code)

    def test_the_pure_parts(self) -> None:
        """Codecs and the signer: no Twisted, no clock, no randomness, no logging."""
        for name in (
            "mojo.engineio.packet", "mojo.engineio.payload", "mojo.engineio.transports.frames",
            "mojo.engineio.transports.fragments",
            "mojo.engineio.head", "mojo.engineio.origins", "mojo.engineio.handshake",
            "mojo.engineio.terms",
            "mojo.engineio.transports.gathering",
            "mojo.engineio.transports.closed",
            "mojo.engineio.transports.masking",
            "mojo.engineio.versions", "mojo.engineio.version3", "mojo.engineio.jsonp",
            "mojo.engineio.transports.coding", "mojo.engineio.transports.deflate",
            "mojo.socketio.dialect",
            "mojo.socketio.packet", "mojo.socketio.codec", "mojo.socketio.message",
            "mojo.socketio.parser", "mojo.socketio.json_parser",
            "mojo.socketio.msgpack_parser", "mojo.socketio.msgpack_extensions",
            "mojo.socketio.msgpack_values", "mojo.cluster.names", "mojo.cluster.wire",
            "mojo.cluster.url", "mojo.cluster.presence_wire", "mojo.redis.resp",
            "mojo.redis.address", "mojo.redis.answers", "mojo.workers.place",
            "mojo.socketio.encoders", "mojo.socketio.validation",
            "mojo.socketio.rooms", "mojo.socketio.roster", "mojo.socketio.event",
            "mojo.sessions.signer",
            "mojo.sessions.values",
            "mojo.web.csrf", "mojo.credential", "mojo.guards", "mojo.checked",
            "mojo.auth.scrypt", "mojo.auth.readers",
            "mojo.auth.cookies", "mojo.auth.tokens",
            "mojo.settings", "mojo.checks", "mojo.errors", "mojo.engineio.forms",
            "mojo.client.address", "mojo.client.options", "mojo.client.backoff",
            "mojo.client.cookies", "mojo.client.opening",
        ):  # fmt: skip
            for imported in imports_of(self.modules[name]):
                root = imported.partition(".")[0]
                self.assertNotIn(
                    root, ("twisted", "time", "random", "secrets", "logging", "os", "socket"), name
                )

    def test_nobody_reaches_for_the_reactor(self) -> None:
        """The reactor comes in as an argument; only the front doors take the global one."""
        self.assertEqual(
            self.importers("twisted.internet.reactor"),
            {"mojo.tap", "mojo.workers.serve", "mojo.client.endpoints"},
        )

    def test_every_folder_is_a_package(self) -> None:
        """Without ``__init__.py`` a folder works in a checkout, and is not installed."""
        folders = {path.parent for path in self.modules.values()}
        self.assertEqual([f for f in folders if not (f / "__init__.py").exists()], [])

    def test_files_are_short(self) -> None:
        long = {
            name: lines
            for name, path in self.modules.items()
            if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
        }
        self.assertEqual(long, {})
