"""What is kept for those who are away can be found by whose it is, and goes with it."""

from __future__ import annotations

from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.socketio.adapter import Target
from mojo.socketio.json_parser import JsonParser
from mojo.socketio.once import HandledEvents
from mojo.socketio.places import Identity, Place, Places
from mojo.socketio.recovery import RecoveringAdapter, RecoveryOptions

ADA, BOB, GUEST = Identity("s1", "ada"), Identity("s1", "bob"), Identity("s2", None)


def place(identity: Identity) -> Place:
    rooms = {("session", str(identity.session_id)): 1, "lobby": 2}
    return Place("cid", identity, {}, rooms, 0, None)


class PlacesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.places = Places()
        for pid, identity in (
            ("p1", ADA),
            ("p2", BOB),
            ("p3", GUEST),
            ("p4", Identity(None, "ada")),
        ):
            self.places.put(pid, place(identity))

    def found(self, session_id: str | None = None, user_id: str | None = None) -> list[str]:
        return sorted(self.places.of(session_id, user_id))

    def test_of(self) -> None:
        """Of a session or of a user; of none of these nobody, though there are such places."""
        self.assertEqual(self.found("s1"), ["p1", "p2"])
        self.assertEqual(self.found(None, "ada"), ["p1", "p4"])
        self.assertEqual(self.found("s2", "bob"), ["p2", "p3"])
        self.assertEqual(self.found(), [])

    def test_renamed(self) -> None:
        self.places.rename("s1", "s9", ("session", "s1"), ("session", "s9"))
        self.assertEqual((self.found("s1"), self.found("s9")), ([], ["p1", "p2"]))
        moved = self.places.get("p1")
        self.assertEqual(moved.identity, Identity("s9", "ada"))
        self.assertEqual(moved.rooms, {("session", "s9"): 1, "lobby": 2})

    def test_nothing_is_left(self) -> None:
        for pid in ("p1", "p2", "p3", "p4"):
            self.places.drop(pid)
        self.assertEqual((self.places._of_session, self.places._of_user), ({}, {}))


class CostTests(SynchronousTestCase):
    """A login or a logout looks at what is its visitor's, and not at what there is of all."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.adapter = RecoveringAdapter(self.clock, RecoveryOptions(max_packets=100), "epoch")
        self.parser = JsonParser()
        for number in range(50):
            connection = Recipient(f"c{number}")
            self.adapter.add(connection)
            self.adapter.join(connection, ("session", f"s{number}"))
            self.adapter.save(
                f"p{number}", connection, identity=Identity(f"s{number}", None), data={}, since=0
            )
            self.adapter.remove(connection)

    def send(self, *rooms, **more) -> None:
        self.adapter.broadcast(
            self.parser.event("news", ()), Target(rooms=frozenset(rooms), **more)
        )

    def test_places(self) -> None:
        asked: list[Identity] = []
        self.adapter.forget_identities(asked.append, "s7", "ada")
        self.assertEqual(asked, [Identity("s7", None)])

    def test_what_was_sent(self) -> None:
        """It is known which of it named the visitor's room, for as long as it is kept."""
        room, other = ("session", "s7"), ("session", "new")
        self.send("lobby")
        self.send(room)
        self.send("lobby", within=room)
        self.send("lobby", excluded=frozenset((room,)))
        self.adapter.rename_visitor("s7", "new", room, other)
        self.assertEqual(
            {name: len(those) for name, those in self.adapter._named.items()}, {other: 3}
        )
        restored = self.adapter.restore("p7", None, Identity("new", None))
        self.assertEqual(len(restored.missed), 1)
        for _ in range(100):
            self.send("lobby")
        self.assertEqual(self.adapter._named, {})

    def test_handled_events(self) -> None:
        handled = HandledEvents(self.clock, 600, 10)
        for number in range(30):
            handled.handle((f"s{number}", "pay", "1"), partial(int, number))
        self.assertEqual(len(handled._of), 10)
        handled.rename("s25", "new")
        self.assertEqual(handled.handle(("new", "pay", "1"), lambda: "again"), 25)
        self.clock.advance(601)
        handled.handle(("s1", "pay", "2"), lambda: None)
        self.assertEqual(list(handled._of), ["s1"])


class Recipient:
    """Somebody who is sent things."""

    def __init__(self, cid: str) -> None:
        self.id = cid

    def send(self, message) -> None:
        pass
