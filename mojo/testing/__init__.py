"""
What an app's tests need: a whole service in memory, clients, browsers and a clock.

``TestServer(SocketConnectionHandler)`` runs it, ``connect`` gives a `TestClient`, ``browser`` a
`Browser`.  It is for any test runner, and nothing in it waits: what was sent has been
handled when ``emit`` returns, and time passes when a test says so.
"""

from mojo.testing.answer import Answer
from mojo.testing.browser import Browser
from mojo.testing.client import Refusal, TestClient
from mojo.testing.http import Response
from mojo.testing.server import TestServer

__all__ = ["Answer", "Browser", "Refusal", "Response", "TestClient", "TestServer"]
