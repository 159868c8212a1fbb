"""`mojo.socketio.validation`: what a checked method gets, and what a client is told."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from twisted.internet.defer import inlineCallbacks
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import EventTableError, InvalidArgumentsError
from mojo.socketio import MojoSocketHandler, event
from mojo.socketio.validation import Validator
from tests.socketio.world import World, remembering


class Colour(Enum):
    RED = "red"


class Point(BaseModel):
    x: int
    on: date | None = None


@dataclass
class Size:
    width: int
    made: datetime


class Upload(BaseModel):
    name: str
    data: bytes


@dataclass
class File:
    data: bytes
    made: date


class Tree(BaseModel):
    n: int
    below: list[Tree] = []


class Lenient(BaseModel):
    n: int = Field(strict=False)


class Default(BaseModel):
    of_mine: dict = {"type": "int"}


class Later(BaseModel):
    other: NeverDefined  # noqa: F821


Pixel = Annotated[int, Field(ge=0, lt=10)]


def check(annotation, *args):
    """Give what a method with one argument of a type gets."""

    def method(self, value): ...

    method.__annotations__ = {"value": annotation}
    return Validator(method, "Handler.method")("say", args)[0]


class ValidatorTestCase(SynchronousTestCase):
    def problems(self, validator, *args) -> list[tuple[str, str]]:
        with self.assertRaises(InvalidArgumentsError) as caught:
            validator("say", args)
        return [(p["argument"], p["problem"]) for p in caught.exception.problems]

    def refused(self, annotation, value) -> None:
        with self.assertRaises(InvalidArgumentsError, msg=f"{annotation} {value!r}"):
            check(annotation, value)


class ConversionTests(ValidatorTestCase):
    def test_json(self) -> None:
        """What JSON has is taken as it is."""
        for annotation, value in (
            (int, 1), (float, 1.5), (str, "1"), (bool, True), (None, None), (int | str, "5"),
            (list[int], [1, 2]), (dict[str, int], {"a": 1}), (Literal["a", "b"], "b"),
            (Pixel, 9), (str | None, None), (Any, object), (dict[str, Any], {"a": [None]}),
        ):  # fmt: skip
            result = check(annotation, value)
            self.assertEqual((result, type(result)), (value, type(value)))

    def test_what_json_has_not(self) -> None:
        """It is made of what everybody writes in its place."""
        for annotation, value, expected in (
            (float, 1, 1.0),
            (date, "2026-01-02", date(2026, 1, 2)),
            (datetime, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            (Decimal, "1.10", Decimal("1.10")),
            (UUID, "00000000-0000-0000-0000-000000000001", UUID(int=1)),
            (Colour, "red", Colour.RED),
            (set[int], [1, 2], {1, 2}),
            (tuple[int, str], [1, "a"], (1, "a")),
            (Point, {"x": 1, "on": "2026-01-02"}, Point(x=1, on=date(2026, 1, 2))),
            (
                Size,
                {"width": 1, "made": "2026-01-02T00:00:00Z"},
                Size(1, datetime(2026, 1, 2, tzinfo=UTC)),
            ),
            (list[Point], [{"x": 1}], [Point(x=1)]),
            (dict[int, str], {"1": "a"}, {1: "a"}),
            (Tree, {"n": 1, "below": [{"n": 2}]}, Tree(n=1, below=[Tree(n=2)])),
            (Lenient, {"n": "1"}, Lenient(n=1)),
            (datetime, 1767312000000, datetime(2026, 1, 2, tzinfo=UTC)),
        ):
            self.assertEqual(check(annotation, value), expected)

    def test_nothing_is_guessed(self) -> None:
        """No text becomes a number, no number text or a truth value, at any depth."""
        for annotation, value in (
            (int, "1"), (int, 1.5), (int, True), (float, "1"), (float, True), (bool, 1),
            (bool, "true"), (str, 1), (str, None), (list[int], ["1"]), (list[int], {"0": 1}),
            (dict[str, int], []), (Point, {"x": "1"}), (Point, []), (Point, {"x": 1, "on": True}),
            (Tree, {"n": 1, "below": [{"n": "2"}]}), (Lenient, {"n": "x"}),
            (dict[int, str], {"a": ""}),
            (Size, {"width": "1", "made": "2026-01-02T00:00:00Z"}), (Colour, "blue"), (Pixel, 10),
            (datetime, "soon"), (UUID, "x"), (Decimal, True), (Decimal, "x"),
        ):  # fmt: skip
            self.refused(annotation, value)

    def test_bytes(self) -> None:
        """Bytes are bytes and text is text, also in models and where anything may be."""
        self.assertEqual(check(bytes, b"\xff"), b"\xff")
        self.assertEqual(check(list[bytes], [b"\xff"]), [b"\xff"])
        self.assertEqual(
            check(Upload, {"name": "a", "data": b"\xff"}), Upload(name="a", data=b"\xff")
        )
        self.assertEqual(check(dict[str, Any], {"a": b"\xff"}), {"a": b"\xff"})
        self.assertEqual(
            check(File, {"data": b"\xff", "made": "2026-01-02"}), File(b"\xff", date(2026, 1, 2))
        )
        for annotation, value in (
            (bytes, "text"), (str, b"text"), (list[bytes], ["text"]), (int, b"1"),
            (Upload, {"name": "a", "data": "text"}), (Upload, {"name": b"a", "data": b""}),
            (Point, {"x": b"1"}),
        ):  # fmt: skip
            self.refused(annotation, value)

    def test_defaults(self) -> None:
        """A default that looks like part of a schema is none."""
        self.assertEqual(check(Default, {}).of_mine, {"type": "int"})

    def test_models_stay_as_they_are(self) -> None:
        """They are strict here alone: elsewhere a project uses them as pydantic has them."""
        self.refused(Point, {"x": "1"})
        self.assertEqual(Point(x="1").x, 1)

    def test_dates_of_the_parser(self) -> None:
        """MessagePack has dates of its own, which stay what they are."""
        moment = datetime(2026, 1, 2, tzinfo=UTC)
        self.assertEqual(check(datetime, moment), moment)
        self.assertEqual(check(dict[str, Any], {"a": moment}), {"a": moment})
        self.refused(str, moment)


class MethodTests(ValidatorTestCase):
    def validator(self, method) -> Validator:
        return Validator(method, "Handler.method")

    def test_parameters(self) -> None:
        """Defaults stay, what has no annotation is anything, the rest is checked one by one."""

        def method(self, a: int, b, c: date = date(2026, 1, 1), *rest: bool, key: int = 0): ...

        validator = self.validator(method)
        self.assertEqual(validator("say", (1, object)), (1, object))
        self.assertEqual(
            validator("say", (1, b"", "2026-01-02", True, False)),
            (1, b"", date(2026, 1, 2), True, False),
        )
        self.assertEqual(
            self.problems(validator, "1", 2, date(2026, 1, 1), True, 0),
            [
                ("a", "Input should be a valid integer"),
                ("rest", "Input should be a valid boolean"),
            ],
        )

    def test_counts(self) -> None:
        def method(self, a: int, b: int, c: int = 0): ...

        validator = self.validator(method)
        self.assertEqual(
            self.problems(validator), [("a", "Argument required"), ("b", "Argument required")]
        )
        self.assertEqual(
            self.problems(validator, 1, 2, 3, 4, 5),
            [("4", "There is no such argument"), ("5", "There is no such argument")],
        )
        self.assertEqual(
            self.problems(validator, "x"),
            [("a", "Input should be a valid integer"), ("b", "Argument required")],
        )

    def test_place(self) -> None:
        """A problem within an argument tells where."""

        def method(self, points: list[Point]): ...

        self.assertEqual(
            self.problems(self.validator(method), [{"x": 1}, {"x": "1"}, {}]),
            [
                ("points", "1.x: Input should be a valid integer"),
                ("points", "2.x: Field required"),
            ],
        )

    def test_many_problems(self) -> None:
        """Ten are told, each in 200 characters; of a great many only how many."""

        def method(self, numbers: list[int]): ...

        validator = self.validator(method)
        self.assertEqual(len(self.problems(validator, [""] * 50)), 10)
        self.assertEqual(len(self.problems(validator, *range(1000))), 10)
        self.assertEqual(self.problems(validator, [""] * 300_000), [("numbers", "300000 problems")])

        def other(self, numbers: dict[str, int]): ...

        ((_, problem),) = self.problems(self.validator(other), {"x" * 1000: ""})
        self.assertEqual(problem, "x" * 200)

    def test_text_of_the_error(self) -> None:
        """It is logged, and shows nothing of what was sent."""

        def method(self, a: dict[str, int], b: int): ...

        with self.assertRaises(InvalidArgumentsError) as caught:
            self.validator(method)("say", ({"secret": "secret", "other": ""},))
        self.assertEqual(str(caught.exception), "event 'say' with invalid arguments: a, b")

    def test_decorated(self) -> None:
        @inlineCallbacks
        def method(self, a: int):
            yield

        self.assertEqual(self.validator(method)("say", (1,)), (1,))
        self.problems(self.validator(method), "1")

    def test_self_and_result(self) -> None:
        """Annotations that have nothing to do with arguments are not looked at."""

        def method(self: Nowhere, a: int) -> Elsewhere: ...  # noqa: F821

        self.validator(method)

    def test_depth(self) -> None:
        """However deep, it is refused or let pass, and nothing else happens."""
        deep: list = []
        tree: dict = {"n": 1}
        for _ in range(900):
            deep = [deep]
            tree = {"n": 1, "below": [tree]}
        self.assertEqual(check(list, deep), deep)
        self.assertRaises(InvalidArgumentsError, check, Tree, tree)


class DeclarationTests(SynchronousTestCase):
    def mistake(self, annotation) -> str:
        with self.assertRaises(EventTableError) as caught:

            class Handler(MojoSocketHandler):
                @event(validate=True)
                def say(self, text): ...

                say.__annotations__["text"] = annotation

        return str(caught.exception)

    def test_mistakes(self) -> None:
        """They are told at the start, and name the method and the argument."""
        where = "DeclarationTests.mistake.<locals>.Handler.say: "
        self.assertIn(where + "an annotation cannot be had: name 'Nope'", self.mistake("Nope"))
        for annotation in (SynchronousTestCase, Later):
            self.assertIn(where + "'text' cannot be checked: ", self.mistake(annotation))

    def test_not_installed(self) -> None:
        for name in ("pydantic", "mojo.socketio.validation"):
            self.addCleanup(sys.modules.__setitem__, name, sys.modules[name])
        validation = sys.modules.pop("mojo.socketio.validation")
        package = sys.modules["mojo.socketio"]
        self.addCleanup(setattr, package, "validation", validation)
        del package.validation
        sys.modules["pydantic"] = None  # what Python takes for a module that is not there
        self.assertEqual(
            self.mistake(str),
            "DeclarationTests.mistake.<locals>.Handler.say: to check arguments takes the package "
            "pydantic: pip install 'mojo[validation]'",
        )

    def test_which(self) -> None:
        """A class is switched on as a whole, an event by itself; a mark is inherited."""

        class Base(MojoSocketHandler):
            @event(validate=True)
            def on(self, a: int): ...

            @event
            def usual(self, a: int): ...

        class Derived(Base):
            validate_events = True

            def on(self, a: str): ...

            def on_message(self, text: str): ...

            @event(validate=False)
            def off(self, a: int): ...

        checked = lambda table: {name for name, entry in table.items() if entry.validator}  # noqa: E731
        self.assertEqual(checked(Base.event_table), {"on"})
        self.assertEqual(checked(Derived.event_table), {"on", "usual", "message"})
        self.assertEqual(Derived.event_table["on"].arguments("on", ("x",)), ("x",))
        self.assertEqual(Derived.event_table["off"].arguments("off", ("x",)), ("x",))


class ConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: list = []
        said = self.said

        @event(validate=True)
        def say(handler, text: str, on: date | None = None):
            said.append((text, on))
            return "said"

        self.handler = remembering(say=say)
        self.world = World({"/": self.handler})
        self.client = self.world.connect()

    def ask(self, packet) -> list:
        self.client.send(packet)
        return self.client.received()

    def test_let_pass(self) -> None:
        self.assertEqual(self.ask('20["say","hi","2026-01-02"]'), ['30["said"]'])
        self.assertEqual(self.said, [("hi", date(2026, 1, 2))])

    def test_refused(self) -> None:
        """The client is told what was wrong, the operator that it was, the app by on_error."""
        (answer,) = self.ask('20["say",5]')
        self.assertEqual(
            json.loads(answer[2:]),
            [
                {
                    "error": {
                        "message": "invalid arguments",
                        "data": [{"argument": "text", "problem": "Input should be a valid string"}],
                    }
                }
            ],
        )
        self.assertEqual(self.said, [])
        self.assertEqual(self.handler.seen, [("on_error", "say", InvalidArgumentsError)])
        self.assertFalse(self.client.closed)

    def test_count(self) -> None:
        (answer,) = self.ask('20["say"]')
        self.assertEqual(
            json.loads(answer[2:])[0]["error"]["data"],
            [{"argument": "text", "problem": "Argument required"}],
        )

    def test_without_an_acknowledgement(self) -> None:
        self.assertEqual(self.ask('2["say",5]'), [])
        self.assertEqual(self.said, [])

    def test_own_answer(self) -> None:
        """What on_error gives goes before ours."""
        self.handler.on_error = lambda handler, error, name: {"mine": error.problems[0]["argument"]}
        self.assertEqual(self.ask('20["say",5]'), ['30[{"mine":"text"}]'])

    def test_log(self) -> None:
        """One warning, which names the arguments and shows nothing of them."""
        events: list = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.ask('20["say",{"secret":1}]')
        lines = [e for e in events if e["log_level"] is LogLevel.warn]
        self.assertEqual(
            [formatEvent(e) for e in lines],
            ["/: cid1: event 'say' with invalid arguments: text"],
        )
        self.assertNotIn("secret", "".join(map(repr, events)))
