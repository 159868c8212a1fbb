"""The chat example in a real browser."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.e2e.processes import (
    CHROMIUM,
    HERE,
    NO_BROWSER,
    NODE,
    ROOT,
    Process,
    start,
    start_server,
)

_DIST = HERE / "node_modules" / "socket.io-client" / "dist"


class ChatTests(TestCase):
    skip = NO_BROWSER
    timeout = 600
    arguments: tuple[str, ...] = ()

    async def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        await self.start_server()

    async def start_server(self) -> None:
        self.server, self.base = await start_server(
            self.folder,
            ROOT / "examples" / "chat",
            "--settings",
            f"SOCKET_IO.client_path={_DIST}",
            "--settings",
            "LOGIN_TRIES={'account': 3}",
            "--settings",
            "PRESENCE_GRACE=8",
            *self.arguments,
            CHAT_DATABASE=str(self.folder / "chat.sqlite3"),
            COOKIE_SECRET="H8n2Qm5vXc1Zr7Tb4Lw9Ky6Jd3Gf0Ps8Ua5Ee2Io",
        )
        self.addCleanup(self.server.stop)

    def play(self, scenario: str) -> Process:
        return start(NODE, HERE / "js" / "chat.mjs", scenario, self.base, CHROMIUM, self.folder)

    async def succeed(self, browser: Process) -> None:
        if await browser.ended:
            self.fail(f"{browser.output}\n--- the server:\n{self.server.output}")
        self.assertNotIn("Traceback", self.server.output)

    async def test_accounts(self) -> None:
        await self.succeed(self.play("accounts"))
        for secret in ("correct horse", "wrong horse", "$scrypt$"):
            self.assertNotIn(secret, self.server.output)

    async def test_polling(self) -> None:
        """Where WebSockets do not come through, the page gets on by long-polling."""
        await self.server.stop()
        self.arguments = ("--settings", "SOCKET_IO.transports=['polling']")
        await self.start_server()
        await self.succeed(self.play("greet"))

    async def test_talk(self) -> None:
        await self.succeed(self.play("talk"))
        self.assertTrue((self.folder / "chat-wide.png").stat().st_size)
        self.assertTrue((self.folder / "chat-narrow.png").stat().st_size)

    async def test_privately(self) -> None:
        await self.succeed(self.play("privately"))

    async def test_presence(self) -> None:
        await self.succeed(self.play("presence"))

    async def test_logout(self) -> None:
        await self.succeed(self.play("logout"))

    async def test_everywhere(self) -> None:
        await self.succeed(self.play("everywhere"))

    async def test_network(self) -> None:
        await self.succeed(self.play("network"))

    async def test_restart(self) -> None:
        browser = self.play("restart")
        await browser.wait_for("STOP")
        await self.server.stop()
        browser.transport.write(b"stopped\n")
        await browser.wait_for("START")
        await self.start_server()
        browser.transport.write(f"{self.base}\n".encode())
        await self.succeed(browser)

    async def test_phone(self) -> None:
        await self.succeed(self.play("phone"))

    async def test_keyboard(self) -> None:
        await self.succeed(self.play("keyboard"))

    async def test_access(self) -> None:
        await self.succeed(self.play("access"))

    async def test_plain(self) -> None:
        await self.succeed(self.play("plain"))
