"""
A Socket.IO 5 client: the official client's rules and names, on Twisted.

`connect` gives one socket; a `Manager` has several, in several namespaces, on one
connection.  Packets are made and read by the same code as the server's.
"""

from mojo.client.connecting import Connecting, connect
from mojo.client.emitter import Emitter
from mojo.client.manager import Manager
from mojo.client.options import ClientOptions
from mojo.client.socket import Socket
from mojo.errors import AckTimeout, ConnectError, Disconnected, UnsendableError

__all__ = [
    "AckTimeout",
    "ClientOptions",
    "ConnectError",
    "Connecting",
    "Disconnected",
    "Emitter",
    "Manager",
    "Socket",
    "UnsendableError",
    "connect",
]
