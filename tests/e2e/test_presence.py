"""Who is online, and who is in a room, with the official client and the code of the documents."""

from __future__ import annotations

from tests.e2e.processes import CHROMIUM, HERE, NO_BROWSER, NO_NODE, NODE, start
from tests.e2e.test_clients import ServerTestCase


class PresenceTests(ServerTestCase):
    skip = NO_NODE
    arguments = ("--settings", "PRESENCE_GRACE=2", "--settings", "SOCKET_IO.recovery={}")

    async def scenario(self, name: str) -> None:
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", f"presence.{name}", self.base))

    async def test_tabs(self) -> None:
        """A reload is no departure; two tabs that are closed in one moment are one."""
        await self.scenario("tabs")

    async def test_leaving(self) -> None:
        """Who leaves the room or logs out is gone at once."""
        await self.scenario("leaving")

    async def test_recovered(self) -> None:
        """Who is recovered is in the list again, without a word of the app's."""
        await self.scenario("recovered")


class BrowserTests(ServerTestCase):
    skip = NO_BROWSER
    pings = ("--settings", "SOCKET_IO.ping_interval=1", "--settings", "SOCKET_IO.ping_timeout=3")
    arguments = ("--settings", "PRESENCE_GRACE=2", *pings)

    async def test_tabs(self) -> None:
        """What a browser does at a reload is no departure, by either transport."""
        script = HERE / "js" / "presence_browser.mjs"
        await self.succeed(start(NODE, script, self.base, CHROMIUM))
