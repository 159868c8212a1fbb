"""The ``mojo`` command."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from twisted.internet.task import Clock

from mojo import MojoService, cli
from mojo.project.loader import load_project
from mojo.secret_files import read_secrets
from mojo.sessions.signer import weakness_of
from mojo.testing import Browser
from tests.project.disk import DiskTestCase, unique


class CliTests(DiskTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = self.folder.resolve()
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

    def test_secret_file(self) -> None:
        """Made for its owner alone; rotated with the newest first, and the oldest given up."""
        path = self.folder / "cookie_secret.txt"
        cli.main(["secret", "--file", str(path)])
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        all_secrets = read_secrets(path)
        for _ in range(3):
            cli.main(["secret", "--file", str(path), "--rotate"])
            all_secrets.insert(0, read_secrets(path)[0])
        self.assertEqual(len(set(all_secrets)), 4)
        self.assertEqual(read_secrets(path), all_secrets[:3])
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        cli.main(["secret", "--file", str(path), "--rotate", "--keep", "0"])
        self.assertEqual(len(read_secrets(path)), 1)
        for secret in all_secrets:
            self.assertNotIn(secret, self.output.getvalue())
        self.assertEqual([entry.name for entry in self.folder.iterdir()], [path.name])

    def test_secret_mistakes(self) -> None:
        path = self.folder / "cookie_secret.txt"
        self.fails("No such file", "secret", "--rotate", "--file", str(path))
        self.fails("--file", "secret", "--rotate")
        self.fails("0 or more", "secret", "--keep", "-1")
        path.write_text("# nothing\n\n")
        self.fails("is there already", "secret", "--file", str(path))
        self.fails("has no secret in it", "secret", "--rotate", "--file", str(path))
        path.write_bytes(b"\xff\xfe hunter2")
        self.fails("it is not UTF-8", "secret", "--rotate", "--file", str(path))

    def test_bad_names(self) -> None:
        """What could not stand in settings.py, and folders that cannot be made."""
        self.fails("cannot be a project's name", "startproject", str(self.folder / 'my "proj"'))
        (self.folder / "file").write_text("")
        self.fails("file", "startproject", str(self.folder / "file" / "x"))

    def test_new_project(self) -> None:
        """What is made can be loaded, served, and is the same page for everybody."""
        project = self.folder / "shop"
        first, second = unique("First"), unique("Second")
        cli.main(["startproject", str(project)])
        cli.main(["startapp", first, "--project", str(project)])
        cli.main(["startapp", second, "--project", str(project)])
        self.assertIn(str(project.resolve() / "settings.py"), self.output.getvalue())
        service = MojoService.from_project(Clock(), load_project(project), endpoints=())
        self.assertEqual(service.project_name, "shop")
        browser = Browser(service)
        self.assertIn(f'io("/{first}Socket")', browser.get("/").text)
        self.assertIn("${here.visitors} visitors", browser.get("/").text)
        self.assertIn(f"<h1>{second}</h1>", browser.get(f"/{second.lower()}").text)
        self.assertIn("session_id", browser.jar)
        settings = load_project(project, [("DEBUG", False)]).settings
        file = project / settings.cookie_secret_file
        (secret,) = read_secrets(file)
        self.assertIsNone(weakness_of(secret))
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertIn(file.name, (project / ".gitignore").read_text().splitlines())

    def test_new_project_mistakes(self) -> None:
        self.fails("is no project", "startapp", "Chat", "--project", str(self.folder))
        cli.main(["startproject", str(self.folder / "p")])
        self.fails("is there already", "startproject", str(self.folder / "p"))
        for name in ("my app", "1", "_x", "a/b", "..", "é", ""):
            self.fails(
                "cannot be an app's name", "startapp", name, "--project", str(self.folder / "p")
            )
        cli.main(["startapp", "Chat", "--project", str(self.folder / "p")])
        self.fails("is there already", "startapp", "Chat", "--project", str(self.folder / "p"))

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
