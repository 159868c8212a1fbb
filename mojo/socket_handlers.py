"""What an app's ``socket_handlers.py`` imports, under the seed's roof."""

from mojo.errors import AckTimeout, ConnectionRefused, Disconnected
from mojo.sessions.current import CURRENT_SESSIONS, LOGGED_IN_SESSIONS
from mojo.socketio.event import event
from mojo.socketio.handler import MojoSocketHandler

__all__ = [
    "CURRENT_SESSIONS",
    "LOGGED_IN_SESSIONS",
    "AckTimeout",
    "ConnectionRefused",
    "Disconnected",
    "MojoSocketHandler",
    "event",
]
