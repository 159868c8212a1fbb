"""`mojo.workers.log`."""

from __future__ import annotations

import os

from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mojo.workers import log
from mojo.workers.log import LineObserver, Lines, log_line
from tests.own_log import keep_log_here


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        keep_log_here(self)
        self.events: list = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.output, written = os.pipe()
        self.addCleanup(os.close, self.output)
        self.written = written
        self.addCleanup(lambda: self.written is None or os.close(self.written))
        self.logger = Logger(namespace="app.chat", observer=LineObserver(written))

    def carried(self):
        """Give what the parent logs of what was logged."""
        lines = Lines(lambda line: log_line("0.1", line))
        lines.received(os.read(self.output, 1_000_000))
        return [
            (event["log_namespace"], event["log_level"], log_text(event)) for event in self.events
        ]

    def test_event(self) -> None:
        """It has its level, its place and all its lines, and the worker's name."""
        self.logger.warn("two\nlines of {what}", what="{braces} ü")
        expected = ("app.chat", LogLevel.warn, "0.1: two\nlines of {braces} ü")
        self.assertEqual(self.carried(), [expected])

    def test_failure(self) -> None:
        try:
            raise ValueError("bad")
        except ValueError:
            self.logger.failure("it failed", Failure())
        ((_, level, text),) = self.carried()
        self.assertEqual(level, LogLevel.critical)
        self.assertIn("0.1: it failed\nTraceback", text)
        self.assertIn("ValueError: bad", text)

    def test_other_output(self) -> None:
        """What is no event is a line, whatever it looks like; the last may have no end."""
        lines = Lines(lambda line: log_line("0.1", line))
        for piece in (b'Fatal \xff\n{"level": "x"}\n{"lev', b'el": "info", "text": 1}\nlast'):
            lines.received(piece)
        lines.ended()
        texts = [log_text(event) for event in self.events]
        self.assertEqual(
            texts,
            [
                "0.1: Fatal \ufffd",
                '0.1: {"level": "x"}',
                '0.1: {"level": "info", "text": 1}',
                "0.1: last",
            ],
        )

    def test_long(self) -> None:
        """Neither an event nor a line without an end needs more room than there is."""
        self.logger.info("x" * 100_000)
        ((_, _, text),) = self.carried()
        self.assertEqual(len(text), 5 + log.MAX_TEXT)
        self.events.clear()
        lines = Lines(lambda line: log_line("0.1", line))
        for _ in range(10):
            lines.received(b"y" * 50_000)
        self.assertGreaterEqual(len(self.events), 2)

    def test_no_parent(self) -> None:
        """Whoever logs does not learn of it."""
        os.close(self.output)
        self.output = os.open(os.devnull, os.O_RDONLY)
        self.logger.info("to nobody")
        self.assertEqual(self.events, [])


def log_text(event) -> str:
    return event["log_format"].format(**event)
