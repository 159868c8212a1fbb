"""
Tests that app writers have, under each of the runners that they may use.

Each runs in a process of its own, as its author would start it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mojo.project.scaffold import start_app, start_project

EXAMPLE = Path(__file__).parents[2] / "examples" / "chat"
NOT_COPIED = shutil.ignore_patterns("node_modules", "chat.sqlite3*")

PLAIN = """
import pytest
from Apps.Chat.socket_handlers import SocketConnectionHandler

from mojo.testing import TestServer


@pytest.fixture(params=["websocket", "polling"])
def server(request):
    with TestServer(SocketConnectionHandler, transport=request.param) as server:
        yield server
    assert server.errors == []


def test_say(server):
    ada, bob = server.connect(), server.connect()
    assert ada.call("say", "hello") == {"ok": True}
    assert bob.received("said") == [("said", ["hello"])]


def test_mistake(server):
    server.connect().emit("say", "one", "too many")
"""


class RunnerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()

    def run_tests(self, *command: str, failing: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, "-B", "-m", *command],
            check=False,
            cwd=self.folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
        )
        output = done.stdout + done.stderr
        self.assertEqual(done.returncode != 0, failing, output)
        return output

    def test_new_project(self) -> None:
        """What `mojo startapp` makes passes as it is, two apps in one process."""
        start_project(self.folder)
        start_app(self.folder, "Chat")
        start_app(self.folder, "News")
        files = ["Apps/Chat/test_chat.py", "Apps/News/test_news.py"]
        self.assertIn("PASSED (successes=6)", self.run_tests("twisted.trial", *files))
        # It counts the base class that each file has imported as well.
        self.assertIn("Ran 8 tests", self.run_tests("unittest", *files))
        self.assertIn("6 passed", self.run_tests("pytest", "-p", "no:cacheprovider"))

    def test_example(self) -> None:
        shutil.copytree(EXAMPLE, self.folder, ignore=NOT_COPIED)
        output = self.run_tests("twisted.trial", "Apps/Chat/test_chat.py")
        self.assertIn("PASSED (successes=18)", output)

    def test_tests_that_fail(self) -> None:
        """They find what is broken in the app."""
        shutil.copytree(EXAMPLE, self.folder, ignore=NOT_COPIED)
        module = self.folder / "Apps/Chat/talk.py"
        text = module.read_text(encoding="utf-8")
        module.write_text(text.replace('.emit("said"', '.emit("sad"'), encoding="utf-8")
        self.assertIn(
            "ChatTests.test_say",
            self.run_tests("twisted.trial", "Apps/Chat/test_chat.py", failing=True),
        )

    def test_plain_functions(self) -> None:
        """pytest's own style, with the fixture that the documents show."""
        start_project(self.folder)
        start_app(self.folder, "Chat")
        (self.folder / "Apps/Chat/test_chat.py").write_text(PLAIN, encoding="utf-8")
        output = self.run_tests("pytest", "-p", "no:cacheprovider")
        self.assertIn("4 passed", output)
