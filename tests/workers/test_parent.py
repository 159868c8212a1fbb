"""`mojo.workers.parent`: what it does before there are workers."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mojo.settings import Settings
from mojo.workers import parent as parent_module
from mojo.workers.parent import Orders, Parent


class Reactor:
    """The reactor, that does not run yet."""

    def callWhenRunning(self, *call: object) -> None:
        pass

    def __getattr__(self, name: str):
        return getattr(reactor, name)


class FolderTests(TestCase):
    async def test_whose(self) -> None:
        """It is made by the user that the workers are, whom ``twistd -u`` puts in between."""
        folder = Path(self.mktemp())
        folder.mkdir()
        self.patch(tempfile, "tempdir", str(folder))
        orders = Orders(
            project=folder,
            name="it",
            workers=2,
            assignments=(),
            redis=None,
            endpoints=("tcp:0:interface=127.0.0.1",),
        )
        # The path of a folder of a test may be longer than one that sockets can be in.
        self.patch(parent_module, "MAX_FOLDER", 1000)
        parent = Parent(Reactor(), Settings(debug=True), orders)
        parent.privilegedStartService()
        self.assertEqual(list(folder.iterdir()), [])
        parent.startService()
        (made,) = folder.iterdir()
        self.assertEqual(stat.S_IMODE(made.stat().st_mode), 0o700)
        await parent.stopService()
        self.assertEqual(list(folder.iterdir()), [])
