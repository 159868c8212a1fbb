"""
Socket.IO 5 on Engine.IO: namespaces, events, acknowledgements, rooms, broadcasts.

It knows no HTTP, no cookies and no projects.
"""

from mojo.socketio.connection import Connection
from mojo.socketio.event import event
from mojo.socketio.handler import MojoSocketHandler
from mojo.socketio.operator import BroadcastOperator
from mojo.socketio.options import SocketOptions
from mojo.socketio.request import SocketRequest
from mojo.socketio.server import SocketServer

__all__ = [
    "BroadcastOperator",
    "Connection",
    "MojoSocketHandler",
    "SocketOptions",
    "SocketRequest",
    "SocketServer",
    "event",
]
