"""
Presence lists: who is in a room or an app, told to those who are in it.

A connection that enters a list gets the whole of it once, and from then on what changes, as
in Phoenix.  Both leave when the reactor's turn ends: whoever has come and gone by then was
never there, and two who go in the same moment are one message.

Who is gone without having said so, as by a reload, is in the list for some seconds more, and
the visitor's next tab takes that place.  Who leaves, is sent away, loses the
login, or was in the list for a visitor who has become another one, is out of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from hashlib import sha256
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from mojo.errors import UnsendableError
from mojo.socketio.absences import Absences
from mojo.socketio.connection import Connection
from mojo.socketio.parser import Parser
from mojo.socketio.places import Identity
from mojo.socketio.roster import USERS, Change, Changes, Entry, Roster, Topic, as_listing
from mojo.socketio.states import ConnectionState

_log = Logger()

#: Seconds for which somebody whose connection broke is not gone, unless a setting says else.
GRACE_SECONDS = 10.0
#: The events: ``(name of the list, {key: {"metas": [...]}})``, and ``(name of the list,
#: {"joins": ..., "leaves": ...})`` with the same in each.
STATE = "presence_state"
DIFF = "presence_diff"


class Listing:
    """
    A connection's part in a list.

    Attributes:
        topic: the list.
        identity: who the connection was when it entered.
        wanted: the key that the app gave; ``None`` for the visitor's own.
        meta: what the app says of it; ``None`` if it is only told who is there.
        key: under which it is.
        entry: what stands in the list for it, if anything does.
    """

    __slots__ = ("entry", "identity", "key", "meta", "topic", "wanted")

    def __init__(self, topic: Topic, identity: Identity) -> None:
        self.topic = topic
        self.identity = identity
        self.wanted: str | None = None
        self.meta: Mapping[str, Any] | None = None
        self.key = ""
        self.entry: Entry | None = None

    @property
    def whose(self) -> Hashable:
        """Who may come back for it: the same visitor with the same key."""
        return (self.topic, self.key, self.identity.session_id)

    @property
    def is_guests(self) -> bool:
        """Whether its key is made of a session's id."""
        return self.wanted is None and self.identity.user_id is None


#: A connection's parts in the lists of its namespace, by their names.
Listings = dict[str, Listing]


class PresenceBoard:
    """
    All lists of a server.

    Args:
        clock: tells the time and wakes us.
        parser: makes what is sent.
        grace: seconds for which somebody whose connection broke is not gone.

    Attributes:
        roster: who is in them.
        share: called with what a turn has changed, for whoever carries it to other nodes.
            What these change is put into `roster`, as theirs.
        has_heirs: tells, when it stops, whether another node waits for those who are away.
        users_changed: called with the change of `USERS`.
    """

    def __init__(self, clock: IReactorTime, parser: Parser, grace: float = GRACE_SECONDS) -> None:
        self.clock = clock
        self.parser = parser
        self.grace = grace
        self.roster = Roster(self._schedule)
        self.share: Callable[[Changes], object] = lambda changes: None
        self.has_heirs: Callable[[], bool] = lambda: False
        self.users_changed: Callable[[Change], object] = lambda change: None
        self._absences: Absences[Listing] = Absences(clock, grace, self._unlist)
        self._listings: dict[Connection, Listings] = {}
        self._watchers: dict[Topic, dict[Connection, None]] = {}
        # Those of them who have not got the list yet.
        self._newcomers: dict[Topic, dict[Connection, None]] = {}
        self._call: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<PresenceBoard of {len(self._watchers)} lists>"

    # -- for the app ----------------------------------------------------------

    def track(
        self, connection: Connection, name: str, meta: Mapping[str, Any], key: str | None
    ) -> None:
        """Put a connection into a list and into the room of that name; see `OwnPresence`."""
        listing = self._take_part(connection, name)
        if listing is not None:
            listing.identity = _identity_of(connection)
            listing.meta, listing.wanted = meta, key
            if connection.state is ConnectionState.OPEN:
                self._list(connection, listing)

    def watch(self, connection: Connection, name: str) -> None:
        """Tell a connection who is in a list, and put it into the room; see `OwnPresence`."""
        self._take_part(connection, name)

    def update(self, connection: Connection, name: str, meta: Mapping[str, Any]) -> None:
        """
        Change what is said of a connection in a list.

        Raises:
            LookupError: it is not in the list.
        """
        listing = self._listings.get(connection, {}).get(name)
        if listing is not None and listing.meta is not None:
            self.track(connection, name, meta, listing.wanted)
        elif connection.state is not ConnectionState.CLOSED:
            raise LookupError(f"the connection is not in the presence list {name!r}: track it")

    def untrack(self, connection: Connection, name: str) -> None:
        """Take a connection out of a list, and tell it no more."""
        listing = self._listings.get(connection, {}).pop(name, None)
        if listing is not None:
            self._unwatch(connection, listing.topic)
            self._absences.stop(listing)
            self._unlist(listing)
            if not self._listings[connection]:
                del self._listings[connection]

    # -- for namespaces -------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """Let a connection into the lists that it asked for while it was opening."""
        for listing in self._listings.get(connection, {}).values():
            self._absences.stop(listing)
            self._enter(connection, listing)

    def refused(self, connection: Connection) -> None:
        """Forget a connection that was not let in."""
        self._listings.pop(connection, None)

    def closed(self, connection: Connection, *, may_return: bool) -> Listings | None:
        """
        Take a connection that is gone out of its lists, now or when the grace time is over.

        Args:
            connection: the connection.
            may_return: whether it went without having said so.
        Returns:
            What `resume` may be given if it comes back.
        """
        listings = self._listings.pop(connection, None)
        for listing in (listings or {}).values():
            self._unwatch(connection, listing.topic)
            has_moved = listing.identity.session_id != connection.session_id
            if listing.entry is None:
                continue
            if may_return and not (listing.is_guests and has_moved):
                listing.identity = _identity_of(connection)
                self._absences.begin(listing)
            else:
                self._unlist(listing)
        return listings

    def resume(self, connection: Connection, listings: Listings | None) -> None:
        """Give a connection that has come back its parts in the lists again."""
        if listings:
            self._listings[connection] = listings

    def left_room(self, connection: Any, room: Any) -> None:
        """Take a connection that has left a room out of the list of that name."""
        listings = self._listings.get(connection)
        if listings is not None and room in listings:
            self.untrack(connection, room)

    def logged_out(self, connection: Connection) -> None:
        """Take a connection out of its lists, which it entered with its login."""
        for listing in self._listings.get(connection, {}).values():
            listing.meta = None
            self._unlist(listing)

    def forget_identities(self, of: Callable[[Identity], bool]) -> None:
        """Wait no longer for visitors who have logged out."""
        self._absences.give_up(lambda listing: of(listing.identity))

    def visitor_moved(self, former: str) -> None:
        """Wait no longer for a guest who comes back as somebody else."""
        self._absences.give_up(
            lambda listing: listing.is_guests and listing.identity.session_id == former
        )

    def stop(self) -> None:
        """Wait for nobody, and leave no timer."""
        if self.has_heirs():
            self._absences.leave_to_others()
        else:
            self._absences.clear()
        self.flush()

    def flush(self) -> None:
        """Tell now what would be told when the turn ends."""
        if self._call is not None:
            self._call.cancel()
            self._flush()

    # -- within ---------------------------------------------------------------

    def _take_part(self, connection: Connection, name: str) -> Listing | None:
        """Give a connection's part in a list, which may begin now."""
        if connection.state is ConnectionState.CLOSED:
            return None
        listings = self._listings.setdefault(connection, {})
        listing = listings.get(name)
        if listing is None:
            topic = (connection.namespace.name, name)
            listing = listings[name] = Listing(topic, _identity_of(connection))
            if name:
                connection.join((name,))
            if connection.state is ConnectionState.OPEN:
                self._enter(connection, listing)
        return listing

    def _enter(self, connection: Connection, listing: Listing) -> None:
        self._watchers.setdefault(listing.topic, {})[connection] = None
        self._newcomers.setdefault(listing.topic, {})[connection] = None
        self._schedule()
        if listing.meta is not None:
            self._list(connection, listing)

    def _list(self, connection: Connection, listing: Listing) -> None:
        """Put what is said of a connection into a list, in place of what there is of it."""
        assert listing.meta is not None
        key = key_of(connection) if listing.wanted is None else listing.wanted
        if listing.entry is not None and listing.entry.key != key:
            self._unlist(listing)
        listing.key = key
        if listing.entry is None:
            former = self._absences.end(listing.whose)
            if former is not None:
                listing.entry, former.entry = former.entry, None
        ref = self.roster.new_ref() if listing.entry is None else listing.entry.ref
        listing.entry = Entry(self.roster.node, key, ref, {"ref": ref, **listing.meta})
        self.roster.put(listing.topic, listing.entry)

    def _unlist(self, listing: Listing) -> None:
        entry, listing.entry = listing.entry, None
        if entry is not None:
            self.roster.remove(listing.topic, entry)

    def _unwatch(self, connection: Connection, topic: Topic) -> None:
        for those in (self._watchers, self._newcomers):
            there = those.get(topic, {})
            there.pop(connection, None)
            if not there:
                those.pop(topic, None)

    def _schedule(self) -> None:
        if self._call is None:
            self._call = self.clock.callLater(0, self._flush)

    def _flush(self) -> None:
        self._call = None
        changes = self.roster.take_changes()
        newcomers, self._newcomers = self._newcomers, {}
        for topic in {**changes, **newcomers}:
            try:
                self._tell(topic, changes.get(topic), newcomers.get(topic, {}))
            except UnsendableError:
                # Of another node: what is of this one was tried when it was said.
                _log.failure("the presence list {name!r} cannot be sent", name=topic[1])
        if USERS in changes:
            self.users_changed(changes[USERS])
        if changes:
            self.share(changes)

    def _tell(
        self, topic: Topic, change: Change | None, newcomers: Mapping[Connection, None]
    ) -> None:
        """Send a list to those who are new in it, and what has changed to the others."""
        watchers = tuple(self._watchers.get(topic, ()))
        if newcomers:
            listing = self.roster.listing(topic)
            self._send(STATE, topic, listing, newcomers)
        if change is not None and len(watchers) > len(newcomers):
            diff = {"joins": as_listing(change.joins), "leaves": as_listing(change.leaves)}
            if diff["joins"] or diff["leaves"]:
                self._send(DIFF, topic, diff, (w for w in watchers if w not in newcomers))

    def _send(
        self, event: str, topic: Topic, content: dict[str, Any], to: Iterable[Connection]
    ) -> None:
        message = self.parser.event(event, (topic[1], content))
        for connection in to:
            connection.send(message)


def key_of(connection: Connection) -> str:
    """
    Give the key of a visitor: the login, or for a guest what all tabs have in common.

    A session's id is nobody else's business: what is made of it does not show it.
    """
    if connection.user_id is not None:
        return connection.user_id
    whose = connection.session_id or connection.id
    return f"guest:{sha256(f'presence of {whose}'.encode()).hexdigest()[:20]}"


def _identity_of(connection: Connection) -> Identity:
    return Identity(connection.session_id, connection.user_id)
