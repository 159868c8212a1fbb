"""What the documents promise of the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

import mojo
from mojo.client import ClientOptions
from mojo.settings import Settings, SocketIOSettings

DOCS = Path(__file__).parent.parent / "docs"


class SettingsDocumentTests(SynchronousTestCase):
    def setUp(self) -> None:
        text = (DOCS / "settings.rst").read_text(encoding="utf-8")
        self.documented = dict(
            re.findall(r"^``(\w+)``(?: = (?:``)?(.+?)(?:``)?)?$", text, re.MULTILINE)
        )

    def test_every_setting(self) -> None:
        """Each has its entry, and nothing has one that is no setting."""
        known = {f.name.upper() for f in fields(Settings)} - {"SOCKET_IO"}
        known |= {f.name for f in fields(SocketIOSettings)}
        self.assertEqual(set(self.documented), known)

    def test_defaults_of_socket_io(self) -> None:
        """The numbers are those of the code."""
        for field, value in (
            (f.name, getattr(SocketIOSettings(), f.name)) for f in fields(SocketIOSettings)
        ):
            if isinstance(value, bool | str) or not isinstance(value, int | float):
                continue
            self.assertEqual(float(self.documented[field].replace("_", "")), value, field)


class NamesTests(SynchronousTestCase):
    def test_public_names(self) -> None:
        """Every public name can be had, and some document tells of it."""
        text = "".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.rst"))
        for name in mojo.__all__:
            self.assertTrue(hasattr(mojo, name), name)
            self.assertTrue(name in text, f"no document has {name}")


class ClientDocumentTests(SynchronousTestCase):
    def test_every_option(self) -> None:
        text = (DOCS / "client.rst").read_text(encoding="utf-8")
        missing = [f.name for f in fields(ClientOptions) if not re.search(rf"\b{f.name}\b", text)]
        self.assertEqual(missing, [])


class ComparedTests(SynchronousTestCase):
    """The table of what there is names the tests that prove it."""

    def test_every_yes_has_a_test(self) -> None:
        text = (DOCS / "compared.rst").read_text(encoding="utf-8")
        rows = [
            [cell.strip() for cell in re.split(r"\n {5}-", row)]
            for row in text.split("\n   * - ")[1:]
        ]
        self.assertGreater(len(rows), 60)
        for feature, ours, *_, how, cell in rows:
            proof = cell.split("\n")[0]
            if feature == "Feature":
                continue
            self.assertTrue(how if ours == "no" else proof, feature)
            for name in re.findall(r"``(tests\.[\w.]+)``", proof):
                self.assertIsNotNone(namedAny(name), name)
