"""Who is in which list, and what has changed: `mojo.socketio.roster`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mojo.socketio.roster import Entry, Roster

LIST = ("/Chat", "lobby")


def entry(key="ada", ref="1", node="", **meta) -> Entry:
    return Entry(node, key, ref, meta)


class RosterTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.noted: list[None] = []
        self.roster = Roster(lambda: self.noted.append(None))

    def put(self, *entries: Entry) -> None:
        for one in entries:
            self.roster.put(LIST, one)

    def change(self):
        """The joins and leaves since the last time; ``None`` if the list was not touched."""
        change = self.roster.take_changes().get(LIST)
        return None if change is None else (change.joins, change.leaves)


class ChangeTests(RosterTestCase):
    def test_join_and_leave(self) -> None:
        self.put(entry())
        self.assertEqual(self.change(), ([entry()], []))
        self.roster.remove(LIST, entry())
        self.assertEqual(self.change(), ([], [entry()]))
        self.assertIsNone(self.change())

    def test_come_and_gone(self) -> None:
        """Who has come and gone meanwhile was never there."""
        self.put(entry())
        self.roster.remove(LIST, entry())
        self.assertEqual(self.change(), ([], []))

    def test_gone_and_come(self) -> None:
        """Who has gone and come back with the same meta was always there."""
        self.put(entry(a=1))
        self.change()
        self.roster.remove(LIST, entry())
        self.put(entry(a=1))
        self.assertEqual(self.change(), ([], []))

    def test_other_meta(self) -> None:
        """An update is a leave and a join; two at once are one, and one that is undone is none."""
        self.put(entry(a=1))
        self.change()
        self.put(entry(a=2), entry(a=3))
        self.assertEqual(self.change(), ([entry(a=3)], [entry(a=1)]))
        self.put(entry(a=4), entry(a=3))
        self.assertEqual(self.change(), ([], []))

    def test_nothing_new(self) -> None:
        """What is put again as it is has changed nothing, and nobody is called for it."""
        self.put(entry(a=1))
        self.change()
        self.noted.clear()
        self.put(entry(a=1))
        self.roster.remove(LIST, entry(ref="2"))
        self.roster.remove(("/Chat", "elsewhere"), entry())
        self.assertEqual((self.change(), self.noted), (None, []))

    def test_two_tabs(self) -> None:
        """Two entries of one key with one meta are two."""
        self.put(entry(ref="1"), entry(ref="2"))
        self.change()
        self.roster.remove(LIST, entry(ref="1"))
        self.assertEqual(self.change(), ([], [entry(ref="1")]))
        self.assertEqual(self.roster.listing(LIST), {"ada": {"metas": [{}]}})

    def test_keys(self) -> None:
        self.put(entry(ref="1"), entry(ref="2"), entry("bob"))
        self.assertEqual(list(self.roster.take_changes()[LIST].keys), ["ada", "bob"])


class ListTests(RosterTestCase):
    def test_looking(self) -> None:
        self.put(entry(a=[1]), entry(ref="2"), entry("bob"))
        self.assertEqual(self.roster.keys(LIST), ("ada", "bob"))
        self.assertTrue(self.roster.has(LIST, "bob"))
        self.assertFalse(self.roster.has(LIST, "eve"))
        self.assertFalse(self.roster.has(("/Chat", ""), "bob"))
        self.assertEqual(self.roster.metas(LIST, "ada"), [{"a": [1]}, {}])
        self.assertEqual(self.roster.metas(LIST, "eve"), [])

    def test_copies(self) -> None:
        """What is handed out can be changed without changing the list."""
        self.put(entry(a=[1]))
        self.roster.metas(LIST, "ada")[0]["a"].append(2)
        self.assertEqual(self.roster.metas(LIST, "ada"), [{"a": [1]}])

    def test_coming_while_somebody_looks(self) -> None:
        """Another thread may be looking: it sees who was there, and no error."""
        self.put(entry(), entry(ref="2"), entry("bob"))
        looking = self.roster._entries(LIST)
        next(looking)
        self.put(entry(ref="3"), entry("eve"))
        self.assertEqual([one.key for one in looking], ["ada", "bob"])

    def test_nothing_is_left(self) -> None:
        """A list goes with the last one in it."""
        self.put(entry(), entry("bob"))
        self.roster.remove(LIST, entry())
        self.roster.remove(LIST, entry("bob"))
        self.assertEqual((len(self.roster), self.roster._lists), (0, {}))


class NodeTests(RosterTestCase):
    def test_beside_ours(self) -> None:
        """An entry of another node with the same key and ref is another entry."""
        self.put(entry(), entry(node="b"))
        self.roster.remove(LIST, entry(node="b"))
        self.assertEqual(self.roster.listing(LIST), {"ada": {"metas": [{}]}})

    def test_a_node_dies(self) -> None:
        """It takes its entries along, in every list, and nobody else's."""
        other = ("/Game", "")
        self.put(entry(), entry("bob", node="b"), entry("eve", node="c"))
        self.roster.put(other, entry("bob", node="b"))
        self.roster.take_changes()
        self.roster.remove_node("b")
        changes = self.roster.take_changes()
        self.assertEqual(changes[LIST].leaves, [entry("bob", node="b")])
        self.assertEqual(changes[other].leaves, [entry("bob", node="b")])
        self.assertEqual(self.roster.keys(LIST), ("ada", "eve"))
        self.assertEqual(self.roster.entries_of("b"), [])

    def test_what_a_new_node_needs(self) -> None:
        self.put(entry(), entry("bob", node="b"))
        self.assertEqual(self.roster.entries_of(""), [(LIST, entry())])

    def test_refs(self) -> None:
        """Those of two nodes are never the same, since clients know entries by them alone."""
        self.assertEqual([self.roster.new_ref(), self.roster.new_ref()], ["1", "2"])
        self.roster.node = "b"
        self.assertEqual(self.roster.new_ref(), "b-3")
