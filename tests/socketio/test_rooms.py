"""`mojo.socketio.rooms`."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.socketio.rooms import Rooms


class RoomsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rooms: Rooms[str] = Rooms()
        for member, names in (("a", "xy"), ("b", "yz"), ("c", "z"), ("d", "")):
            self.rooms.add(member)
            for name in names:
                self.rooms.join(member, name)

    def select(self, rooms: str = "", except_: str = "") -> str:
        return "".join(self.rooms.select(set(rooms), set(except_)))

    def test_everyone(self) -> None:
        self.assertEqual(self.select(), "abcd")

    def test_rooms(self) -> None:
        """Each once, however many of the rooms they are in."""
        self.assertEqual(self.select("x"), "a")
        self.assertEqual(sorted(self.select("yz")), ["a", "b", "c"])
        self.assertEqual(self.select("nowhere"), "")

    def test_except(self) -> None:
        self.assertEqual(self.select(except_="y"), "cd")
        self.assertEqual(self.select("z", "y"), "c")
        self.assertEqual(self.select("z", "nowhere"), "bc")

    def test_leaving(self) -> None:
        self.rooms.leave("a", "x")
        self.rooms.leave("a", "x")
        self.rooms.leave("a", "nowhere")
        self.assertEqual(self.select("x"), "")
        self.assertNotIn("x", self.rooms)
        self.assertEqual(self.rooms.rooms_of("a"), ("y",))

    def test_removing(self) -> None:
        """A room goes with its last member."""
        for member in "abcd":
            self.rooms.remove(member)
            self.rooms.remove(member)
        self.assertEqual(len(self.rooms), 0)
        self.assertEqual(self.select(), "")

    def test_joining_after_removal(self) -> None:
        self.rooms.remove("a")
        self.rooms.join("a", "x")
        self.assertEqual(self.select("x"), "")

    def test_change_while_selecting(self) -> None:
        """Members may go while they are being sent to."""
        seen = []
        for member in self.rooms.select({"y", "z"}, set()):
            seen.append(member)
            self.rooms.remove("c")
        self.assertEqual(sorted(seen), ["a", "b", "c"])

    def test_own_rooms_do_not_collide(self) -> None:
        """No text is equal to a room of our own kind."""
        self.rooms.join("d", ("session", "s"))
        for name in ("session", "s", "('session', 's')", "session:s"):
            self.assertEqual(list(self.rooms.select({name}, set())), [])
        self.assertEqual(list(self.rooms.select({("session", "s")}, set())), ["d"])
