"""A session as the app has it, and what it may hold: `mojo.sessions.data`, `values`."""

from __future__ import annotations

import copy
import json

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import SessionError, SessionTooLargeError
from mojo.sessions.data import Record, Session
from mojo.sessions.stores import Stored
from mojo.sessions.values import decode
from tests.sessions.breakable import Visitor


class SessionTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list = []
        self.record = Record("s1")
        self.record.learn(Stored('{"cart":["tea"],"user":{"name":"Ada"},"n":1}', "v1"))
        self.session = Session(self.record, Visitor(), max_size=200, changed=self.told.append)


class SessionTests(SessionTestCase):
    def test_dict(self) -> None:
        session = self.session
        self.assertEqual(session["n"], 1)
        self.assertEqual(session.get("nothing", 7), 7)
        self.assertRaises(KeyError, session.__getitem__, "nothing")
        self.assertRaises(KeyError, session.__delitem__, "nothing")
        session["m"] = 2
        del session["n"]
        self.assertEqual(sorted(session), ["cart", "m", "user"])
        self.assertEqual(len(session), 3)
        self.assertEqual(session.pop("m"), 2)
        self.assertNotIn("n", session)
        self.assertEqual(session.setdefault("k", [1]), [1])
        session.clear()
        self.assertEqual(dict(session), {})

    def test_changes(self) -> None:
        """What was changed is known; setting what is there already changes nothing."""
        self.session["n"] = 1
        self.session["cart"] = ("tea",)
        self.assertEqual(dict(self.session.changes), {})
        self.session["n"] = True
        self.session["n"] = 1.0
        self.assertEqual(list(self.session.changes), ["n"])
        self.assertEqual(len(self.told), 2)

    def test_others_do_not_see_it(self) -> None:
        """Until it is saved a change is its maker's alone."""
        other = Session(self.record, Visitor(), max_size=200)
        self.session["n"] = 2
        self.assertEqual((self.session["n"], other["n"]), (2, 1))

    def test_saved_meanwhile(self) -> None:
        """What is changed while it is being saved is not saved."""
        self.session["n"] = 2
        changes = self.session.changes
        self.session["n"] = 3
        self.session.saved(changes)
        self.assertEqual(list(self.session.changes), ["n"])

    def test_in_place(self) -> None:
        """A change that nobody would notice is refused, and the advice works."""
        for change in (
            lambda: self.session["cart"].append("milk"),
            lambda: self.session["cart"].__setitem__(0, "milk"),
            self.session["cart"].sort,
            lambda: self.session["user"].update(name="Bob"),
            lambda: self.session["user"].__delitem__("name"),
        ):
            with self.assertRaises(SessionError) as caught:
                change()
            self.assertIn("assign a new one", str(caught.exception))
        self.session["cart"] = [*self.session["cart"], "milk"]
        self.session["user"] = {**self.session["user"], "age": 36}
        self.assertEqual(self.session["cart"], ["tea", "milk"])
        self.assertEqual(self.session["user"], {"name": "Ada", "age": 36})

    def test_values_are_copied(self) -> None:
        cart = ["tea"]
        self.session["c"] = cart
        cart.append("milk")
        self.assertEqual(self.session["c"], ["tea"])

    def test_values_are_as_good_as_any(self) -> None:
        """They can be encoded, compared, added to, and copied into what can be changed."""
        cart = self.session["cart"]
        self.assertEqual(json.dumps(cart), '["tea"]')
        self.assertEqual(cart * 2, ["tea", "tea"])
        for copied in (cart.copy(), copy.deepcopy(cart), list(cart)):
            copied.append("milk")
        copy.deepcopy(self.session["user"])["name"] = "Bob"
        self.assertEqual(self.session["cart"], ["tea"])

    def test_what_is_no_json(self) -> None:
        """The key is named, and the value is not."""
        deep: list = []
        for _ in range(60):
            deep = [deep]
        for value in (
            object(), b"secret", {1: "secret"}, {"a": {1, 2}}, float("nan"), float("-inf"),
            10**2000, deep,
        ):  # fmt: skip
            with self.assertRaises(SessionError) as caught:
                self.session["key"] = value
            self.assertIn("session['key']", str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))
        with self.assertRaises(SessionError):
            self.session[1] = 1
        self.assertEqual(dict(self.session.changes), {})

    def test_what_is(self) -> None:
        for value in (None, True, 0, -1.5, "é\ud800\0", [], {}, [[{"a": [None]}]], 10**60):
            self.session["key"] = value
            self.assertEqual(self.session["key"], value)
            del self.session["key"]

    def test_too_large(self) -> None:
        """It is refused in the line that does it, with the sizes; less is always possible."""
        with self.assertRaises(SessionTooLargeError) as caught:
            self.session["long"] = "x" * 200
        self.assertIn("session['long'] of 211 bytes", str(caught.exception))
        self.assertNotIn("long", self.session)
        self.record.learn(Stored(json.dumps({"a": "x" * 300, "b": "y" * 300}), "v2"))
        del self.session["a"]
        self.assertEqual(list(self.session), ["b"])

    def test_refusal(self) -> None:
        session = Session(self.record, Visitor(), max_size=200, refusal="not here")
        self.assertEqual(session["n"], 1)
        for change in (lambda: session.__setitem__("n", 2), session.clear):
            with self.assertRaises(SessionError) as caught:
                change()
            self.assertEqual(str(caught.exception), "not here")

    def test_nothing_secret_is_shown(self) -> None:
        self.session["password"] = "secret"
        self.assertEqual(repr(self.session), "<Session with 4 keys>")
        self.assertEqual(repr(self.record), "<Record with 3 keys>")


class DecodeTests(SynchronousTestCase):
    def test_broken(self) -> None:
        """What is no session is a ValueError, however deep it is."""
        for data in ("", "[]", "1", "{", '{"a":NaN}', "[" * 100_000, '{"a":' + "[" * 60 + "]" * 60):
            self.assertRaises(ValueError, decode, data)
