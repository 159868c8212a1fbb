"""`mojo.cluster.redis_marks`, with a real Redis."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mojo.cluster.redis_marks import MAX_PAGE, RedisMarks
from mojo.errors import RedisUnavailable
from mojo.redis.address import RedisAddress
from mojo.redis.link import RedisLink
from mojo.sessions.revocations import Mark
from tests.redis_server import NO_REDIS, RedisServer

NOW = 1_700_000_000.123456


class RedisMarksTests(TestCase):
    skip = NO_REDIS

    async def setUp(self) -> None:
        self.redis = RedisServer()
        await self.redis.start()
        self.addCleanup(self.redis.clean)
        self.now = NOW
        self.link = RedisLink(RedisAddress(self.redis.url, "REDIS"), reactor)
        self.addCleanup(self.link.close)
        self.marks = self.make()

    def make(self, **more) -> RedisMarks:
        ages = {"user": 1000.0, "session": 2000.0, "login": 1000.0}
        return RedisMarks(self.link, "socket.io", ages, lambda: self.now, **more)

    async def test_kept(self) -> None:
        """They come back as they were, to the last digit of a moment, under the prefix."""
        marks = [
            Mark("user", 'a"d\u00e4', NOW),
            Mark("session", "s", NOW + 1e-6),
            Mark("login", "1", NOW, "ada"),
        ]
        self.assertEqual(await self.marks.read(), [])
        await self.marks.keep(marks)
        self.assertEqual(sorted(await self.marks.read()), sorted(marks))
        keys = await self.redis.ask("KEYS", "*")
        for kind in (b"user", b"session", b"login"):
            self.assertIn(b"socket.io-mojo-revoked:" + kind, keys)
        self.assertEqual(keys.count(b"\r\n"), 7)

    async def test_later(self) -> None:
        """Of two moments the later one stays."""
        await self.marks.keep([Mark("user", "ada", NOW + 1)])
        await self.marks.keep([Mark("user", "ada", NOW), Mark("user", "bob", NOW)])
        await self.marks.keep([Mark("user", "bob", NOW + 2)])
        self.assertEqual(
            await self.marks.read(), [Mark("user", "ada", NOW + 1), Mark("user", "bob", NOW + 2)]
        )

    async def test_old(self) -> None:
        """What no cookie can be old enough for goes, and the key with the last one."""
        await self.marks.keep([Mark("user", "ada", NOW), Mark("session", "s", NOW)])
        self.now += 1001
        await self.marks.keep([Mark("user", "bob", self.now), Mark("session", "t", self.now)])
        keys = {mark.key for mark in await self.marks.read()}
        self.assertEqual(keys, {"bob", "s", "t"})
        ttl = await self.redis.ask("PTTL", "socket.io-mojo-revoked:user")
        self.assertTrue(900_000 < int(ttl[1:]) <= 1_000_000)

    async def test_pages(self) -> None:
        """Any number of them, also many of one moment."""
        marks = [Mark("user", f"user{n}", NOW + (n // 2300)) for n in range(5 * MAX_PAGE)]
        for first in range(0, len(marks), 1000):
            await self.marks.keep(marks[first : first + 1000])
        self.assertEqual(sorted(await self.marks.read()), sorted(marks))

    async def test_too_many(self) -> None:
        """What is forgotten takes all of its time with it."""
        few = self.make(most=3)
        await few.keep([Mark("user", f"user{n}", NOW + n) for n in range(5)])
        self.assertEqual(
            await few.read(),
            [Mark("user", "", NOW + 1), *(Mark("user", f"user{n}", NOW + n) for n in (2, 3, 4))],
        )

    async def test_acl(self) -> None:
        """It takes no more than docs/cluster.rst says."""
        text = (Path(__file__).parents[2] / "docs" / "cluster.rst").read_text(encoding="utf-8")
        rules = re.search(r"> ACL (SETUSER mojo .*)", text)[1]
        self.assertEqual(await self.redis.ask("ACL", *rules.split()), b"+OK\r\n")
        url = self.redis.url.replace("://", "://mojo:password@")
        self.link = RedisLink(RedisAddress(url, "REDIS"), reactor)
        self.addCleanup(self.link.close)
        few = self.make(most=2)
        await few.keep([Mark("user", f"user{n}", NOW + n) for n in range(4)])
        self.assertEqual(len(await few.read()), 3)

    async def test_away(self) -> None:
        await self.redis.stop()
        for asked in (self.marks.read(), self.marks.keep([Mark("user", "ada", NOW)])):
            try:
                await asked
            except RedisUnavailable:
                continue
            self.fail("it was there")
