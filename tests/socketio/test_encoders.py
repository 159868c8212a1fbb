"""`mojo.socketio.encoders`: types that JSON has not, as a project wants them."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import UnsendableError
from mojo.socketio.encoders import encode_common
from mojo.socketio.json_parser import JsonParser


def sent(value, encoder=encode_common) -> list:
    """Give what goes out for an event with one argument, without the event's name."""
    text, *attachments = (p.data for p in JsonParser(encoder).event("a", [value]).packets("/"))
    return [text.partition('["a",')[2][:-1], *attachments]


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: object
    y: object


class CommonTests(SynchronousTestCase):
    def test_types(self) -> None:
        for value, expected in (
            (datetime(2026, 1, 2, 3, 4, 5, 600, UTC), '"2026-01-02T03:04:05.000600+00:00"'),
            (datetime(2026, 1, 2, 3, 4), '"2026-01-02T03:04:00"'),
            (date(2026, 1, 2), '"2026-01-02"'),
            (time(3, 4), '"03:04:00"'),
            (Decimal("1.10"), '"1.10"'),
            (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
            (Colour.RED, '"red"'),
            ({5}, "[5]"),
            (frozenset(), "[]"),
            (Point(1, None), '{"x":1,"y":null}'),
        ):
            self.assertEqual(sent(value), [expected])

    def test_nested(self) -> None:
        """What is in an encoded value is encoded as well, and its bytes are attachments."""
        value = {"points": [Point({Colour.RED}, b"\x01"), Point(Decimal(2), [b"\x02"])]}
        self.assertEqual(
            sent(value),
            [
                (
                    '{"points":[{"x":["red"],"y":{"_placeholder":true,"num":0}},'
                    '{"x":"2","y":[{"_placeholder":true,"num":1}]}]}'
                ),
                b"\x01",
                b"\x02",
            ],
        )

    def test_others(self) -> None:
        """Paths are no client's business; a class is no value."""
        for value in (object(), Path("x"), Point, 1j):
            with self.assertRaises(UnsendableError) as caught:
                sent(value)
            self.assertRegex(str(caught.exception), "^event 'a': [A-Za-z]+ cannot be sent$")


class OwnEncoderTests(SynchronousTestCase):
    def test_fallback(self) -> None:
        """A project's own goes on to the common one for what it does not know."""

        class Money:
            pass

        def encode(value):
            return {"money": Decimal(5)} if isinstance(value, Money) else encode_common(value)

        self.assertEqual(sent(Money(), encode), ['{"money":"5"}'])

    def test_never_asked_for_what_json_has(self) -> None:
        asked = []
        sent([1, "a", None, b"x", {"b": (True,)}], asked.append)
        self.assertEqual(asked, [])

    def test_failures(self) -> None:
        """Whatever it raises is an `UnsendableError` where the event was emitted."""
        for encoder in (lambda value: value.nothing, lambda value: value, lambda value: 1 / 0):
            with self.assertRaises(UnsendableError) as caught:
                sent(object(), encoder)
            self.assertIsNotNone(caught.exception.__cause__)
