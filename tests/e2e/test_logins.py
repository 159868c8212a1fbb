"""Logins, with the official client, and tokens that Node makes."""

from __future__ import annotations

from tests.e2e.processes import HERE, NO_NODE, NODE, start
from tests.e2e.test_clients import ServerTestCase


class LoginTests(ServerTestCase):
    skip = NO_NODE

    async def scenario(self, name: str) -> None:
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", f"logins.{name}", self.base))

    async def test_guards(self) -> None:
        """Who may not is told so; a logout ends what was for users, and the cookie's copies."""
        await self.scenario("guards")

    async def test_tokens(self) -> None:
        """A bearer token is a login until it runs out; a bad one is none."""
        await self.scenario("tokens")

    async def test_everywhere(self) -> None:
        """A logout everywhere reaches the user's other browsers at once."""
        await self.scenario("everywhere")
