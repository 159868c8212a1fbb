"""`mojo.workers.place`."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.service import MojoService
from mojo.settings import Settings, SocketIOSettings
from mojo.workers.place import Place

FOLDER = Path("/run/mojo")


class PlaceTests(SynchronousTestCase):
    def test_own(self) -> None:
        """The ids of a worker's sessions begin with the node's prefix and the worker's name."""
        settings = Settings(socket_io=SocketIOSettings(sid_prefix="a."), debug=True)
        place = Place("3.12", FOLDER, "a.")
        self.assertEqual(place.settle(settings).socket_io.sid_prefix, "a.3.12-")
        self.assertTrue(place.settle(settings).debug)
        self.assertEqual(place.socket, Path("/run/mojo/3.12"))

    def test_owner(self) -> None:
        place = Place("0.1", FOLDER, "a.")
        for sid, owner in (
            ("a.0.1-xyz", "0.1"),
            ("a.1.20-x-1.1-z", "1.20"),
            ("0.1-xyz", None),
            ("b.0.1-xyz", None),
            ("a.xyz", None),
            ("", None),
        ):
            self.assertEqual(place.owner_of(sid), owner, sid)

    def test_newest(self) -> None:
        """It is another worker, and no other file."""
        place = Place("0.3", FOLDER)
        self.assertEqual(place.newest_of(["0.3", "1.10", "2.9", "x", "3.99.lock", ".x"]), "1.10")
        self.assertIsNone(place.newest_of(["0.3", "x"]))

    def test_owner_is_no_path(self) -> None:
        """What a client sends never names another file."""
        place = Place("0.1", FOLDER)
        for sid in (
            "../x-1",
            "..-1",
            "/etc/passwd-1",
            "1.1/../x-1",
            "1.1\0-x",
            "1.1",
            "-x",
            "\u0661.1-x",
        ):
            self.assertIsNone(place.owner_of(sid), sid)
        self.assertIsNone(place.owner_of("1" * 5000 + ".1-x"))


class ServiceTests(SynchronousTestCase):
    def test_ids(self) -> None:
        """A worker's service gives its sessions ids that begin with its name."""
        service = MojoService(Clock(), Settings(debug=True), place=Place("2.1", FOLDER))
        server = service.mounts["/socket.io"].engine.engine
        self.assertEqual(server.options.sid_prefix, "2.1-")
        self.assertEqual(server.options.generated_prefix, "2.1-")
        alone = MojoService(Clock(), Settings(debug=True))
        self.assertEqual(alone.mounts["/socket.io"].engine.engine.options.generated_prefix, "")

    def test_statistics(self) -> None:
        """They say whose they are."""
        service = MojoService(Clock(), Settings(debug=True), place=Place("2.1", FOLDER))
        self.assertEqual(service.stats.dump()["worker"], "2.1")
        self.assertNotIn("worker", MojoService(Clock(), Settings(debug=True)).stats.dump())
