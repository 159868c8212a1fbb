"""Projects on disk, made for a test and forgotten after it."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

_numbers = itertools.count(1)


def unique(name: str) -> str:
    """Give a name that no other test uses: modules stay in ``sys.modules``."""
    return f"{name}{next(_numbers)}"


def forget_projects(test: SynchronousTestCase) -> None:
    """Let no module of a project that a test loads stay in the way of the tests after it."""
    before, path = set(sys.modules), list(sys.path)

    def forget() -> None:
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("Apps", "settings", "urls", "socket_handlers") or (
                " of " in name
            ):
                del sys.modules[name]
        sys.path[:] = path

    test.addCleanup(forget)


class DiskTestCase(SynchronousTestCase):
    """A test with a folder for projects."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        forget_projects(self)

    def project(self, files: dict[str, str], name: str = "project") -> Path:
        """Write a project; ``settings.py`` is there unless it is given."""
        folder = self.folder / name
        for path, text in {"settings.py": "DEBUG = True\n", **files}.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return folder.resolve()


HANDLER = """
from mojo import MojoSocketHandler, event

class SocketConnectionHandler(MojoSocketHandler):
    @event
    def say(self, text):
        self.namespace.emit("said", text)
"""

PAGE = """
from mojo import MojoRequestHandler

class Home(MojoRequestHandler):
    def get(self):
        self.write("home of " + self.app)
"""

URLS = """
from .views import Home

urlpatterns = [(r"/{path}", Home)]
"""
