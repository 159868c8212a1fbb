"""Secrets from the environment and from files; `tests.test_cli` has how they are made."""

from __future__ import annotations

import os

from twisted.internet.task import Clock

from mojo import MojoService, Settings, env
from mojo.errors import SettingsError
from mojo.project.loader import load_project
from mojo.secret_files import read_secrets, rotate_secret_file
from mojo.sessions.signer import Opened
from mojo.settings import read_settings
from tests.project.disk import DiskTestCase

SECRET = "correct horse battery staple 0123456789"
OTHER = "a different secret, just as long 0123456789"


class EnvironmentTests(DiskTestCase):
    def test_env(self) -> None:
        self.patch(os, "environ", {"A": "x", "EMPTY": ""})
        self.assertEqual(env("A"), "x")
        self.assertEqual(env("A", "y"), "x")
        self.assertEqual(env("B", "y"), "y")
        for name in ("B", "EMPTY"):
            error = self.assertRaises(SettingsError, env, name)
            self.assertIn(f"variable {name} is", str(error))
        self.assertRaises(SettingsError, env, "EMPTY", "y")


class FileTests(DiskTestCase):
    def serve(self, text: str | None, **settings) -> MojoService:
        if text is not None:
            (self.folder / "secrets.txt").write_text(text)
        settings = Settings(cookie_secret_file="secrets.txt", **settings)
        return MojoService(Clock(), settings, path=self.folder, now=lambda: 1_700_000_000.0)

    def test_newest_first(self) -> None:
        """What the second line sealed is opened, and the first line seals."""
        old = self.serve(f"# made by hand\n{SECRET}\n").cookies
        new = self.serve(f"{OTHER}\n\n{SECRET}\n").cookies
        token = old.seal("x", "value")
        self.assertEqual(new.open("x", {"x": (token,)}, 60).value, "value")
        self.assertIsNone(old.open("x", {"x": (new.seal("x", "value"),)}, 60))

    def test_banner(self) -> None:
        self.assertIn("with the project's secret", self.serve(SECRET).banner())

    def test_problems(self) -> None:
        """Each names the file, and none says what is in it."""
        for text, problem in (
            (None, "No such file"), ("", "no secret"), ("# only this\n", "no secret"),
            (f"  # {SECRET}\n", "no secret"),
            ("hunter2", "secret 1 of secrets.txt is too weak"),
            (f"{SECRET}\nhunter2", "secret 2 of secrets.txt is too weak"),
        ):  # fmt: skip
            error = self.assertRaises(SettingsError, self.serve, text)
            self.assertIn(problem, str(error))
            self.assertNotIn("hunter2", str(error))
            self.assertNotIn("horse", str(error))
        self.serve("hunter2", debug=True)

    def test_rotated_in_place(self) -> None:
        """Who may read it can read the new one, and a link still leads there."""
        path = self.folder / "secrets.txt"
        path.write_text(SECRET)
        path.chmod(0o640)
        link = self.folder / "link.txt"
        link.symlink_to(path.resolve())
        rotate_secret_file(link)
        self.assertTrue(link.is_symlink())
        self.assertEqual(path.stat().st_mode & 0o777, 0o640)
        self.assertEqual(read_secrets(path)[1:], [SECRET])

    def test_not_both(self) -> None:
        values = {"COOKIE_SECRET_FILE": "x", "DEBUG": True}
        for more in ({"COOKIE_SECRET": SECRET}, {"COOKIE_SECRET_FALLBACKS": [SECRET]}):
            error = self.assertRaises(SettingsError, read_settings, {**values, **more})
            self.assertIn("cannot both be set", str(error))

    def test_overridden(self) -> None:
        """The one that the command line names replaces the other."""
        (self.folder / "settings.py").write_text("COOKIE_SECRET_FILE = 'secrets.txt'\n")
        settings = load_project(self.folder, [("COOKIE_SECRET", SECRET)]).settings
        self.assertEqual((settings.cookie_secret, settings.cookie_secret_file), (SECRET, None))


class PlainSigner:
    """A signer of the project's own; a real one would be harder to please."""

    def seal(self, name, value, *, now):
        return f"{name}.{value}"

    def open(self, name, token, *, now, max_age):
        sealed, _, value = token.partition(".")
        return Opened(value, int(now), True) if sealed == name else None


class SignerTests(DiskTestCase):
    def test_own_signer(self) -> None:
        """It seals and opens whatever Mojo does, and no secret is needed."""
        service = MojoService(Clock(), Settings(cookie_signer=PlainSigner()))
        self.assertEqual(service.cookies.seal("x", "value"), "x.value")
        identity = service.cookies.identify({"session_id": ("session_id.s",)})
        self.assertEqual(identity.session_id, "s")
        self.assertIn("with the project's secret", service.banner())

    def test_by_its_path(self) -> None:
        settings = Settings(cookie_signer="tests.test_secret_files.SIGNER")
        self.assertIs(MojoService(Clock(), settings).cookies.signer, SIGNER)

    def test_no_signer(self) -> None:
        for value in (5, PlainSigner, "tests.test_secret_files.SECRET"):
            error = self.assertRaises(
                SettingsError, MojoService, Clock(), Settings(cookie_signer=value)
            )
            self.assertIn("COOKIE_SIGNER", str(error))
        self.assertRaises(SettingsError, Settings, cookie_signer="signer")


SIGNER = PlainSigner()
