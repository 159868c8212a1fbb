"""The ``mojo`` command."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mojo import cli
from mojo.sessions.signer import weakness_of


class CliTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.output = io.StringIO()
        self.patch(sys, "stdout", self.output)

    def npm(self, script: str) -> None:
        """Put an npm of our own where the command looks first."""
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        npm = bin_folder / "npm"
        npm.write_text(f"#!/bin/sh\n{script}\n")
        npm.chmod(0o755)
        self.patch(sys, "executable", str(bin_folder / "python"))

    def fails(self, expected: str, *arguments: str) -> None:
        with self.assertRaises(SystemExit) as caught:
            cli.main(arguments)
        self.assertIn(expected, str(caught.exception))

    def test_secret(self) -> None:
        """Never the same, and strong enough for the settings."""
        cli.main(["secret"])
        cli.main(["secret"])
        first, second = self.output.getvalue().split()
        self.assertNotEqual(first, second)
        self.assertIsNone(weakness_of(first))

    def test_client(self) -> None:
        """npm is told the project's folder, and leaves nothing else there."""
        (self.folder / "settings.py").write_text("")
        dist = self.folder / "node_modules/socket.io-client/dist"
        self.npm(
            f'echo "$@" > "{self.folder}/arguments"; mkdir -p "{dist}"; : > "{dist}/socket.io.js"'
        )
        cli.main(["client", "--project", str(self.folder)])
        arguments = (self.folder / "arguments").read_text()
        self.assertIn(f"install --prefix {self.folder} --no-save", arguments)
        self.assertIn("socket.io-client@^4.8.0", arguments)
        self.assertIn(str(dist), self.output.getvalue())

    def test_client_version(self) -> None:
        (self.folder / "settings.py").write_text("")
        self.npm(f'echo "$@" > "{self.folder}/arguments"; exit 3')
        self.fails(
            "npm failed with exit status 3",
            "client", "--project", str(self.folder), "--version", "4.7.0",
        )  # fmt: skip
        self.assertIn("socket.io-client@4.7.0", (self.folder / "arguments").read_text())

    def test_client_mistakes(self) -> None:
        self.fails("is no project", "client", "--project", str(self.folder))
        (self.folder / "settings.py").write_text("")
        self.npm("exit 0")
        self.fails("but there is no", "client", "--project", str(self.folder))
        (self.folder / "bin" / "npm").unlink()
        self.patch(os, "environ", {"PATH": str(self.folder)})
        self.fails("there is no npm", "client", "--project", str(self.folder))

    def test_installed_command(self) -> None:
        """It is there, and says what it can do."""
        command = Path(sys.executable).with_name("mojo")
        if not command.exists():
            raise AssertionError("mojo is not installed: pip install '.[test]'")
        shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
        self.assertIn("client", shown.stdout)
        self.assertIn("secret", shown.stdout)
