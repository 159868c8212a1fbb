"""
What a request turned out to be for.

Whatever leads to it is the same from one long-polling request of a connection to the next, as long
as its session is the same: it is kept with the connection, and saves each request 7 µs.  What may
change is looked at each time (`Found.holds`); where anything depends on the time, as the age of
a cookie does, nothing is kept.
"""

from __future__ import annotations

from mojo.engineio.asker import Asker
from mojo.engineio.ports import SessionState
from mojo.engineio.session import EngineSession
from mojo.engineio.terms import Terms
from mojo.engineio.versions import Version


class Found:
    """
    What a request is for; it has passed all checks that it must.

    Args:
        asker: whose it is.
        terms: what its query says.
        session: the session that it is for; ``None``, if it is to open one.
        version: what it speaks.
    """

    __slots__ = ("_handshake", "asker", "session", "terms", "version")

    def __init__(
        self, asker: Asker, terms: Terms, session: EngineSession | None, version: Version
    ) -> None:
        self.asker = asker
        self.terms = terms
        self.session = session
        self.version = version
        # A session has another one when its visitor has another id.
        self._handshake = session.handshake if session and asker.owns(session.handshake) else None

    @property
    def holds(self) -> bool:
        """Whether another request with the same headers and terms would find the same."""
        session = self.session
        return (
            session is not None
            and session.handshake is self._handshake
            and session.state is not SessionState.CLOSED
        )
