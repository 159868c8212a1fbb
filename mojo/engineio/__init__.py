"""
Engine.IO 4: a bidirectional connection over long-polling and WebSocket.

Usable alone: an `EngineServer` is told what to make of each session, an
`EngineResource` puts it on the web.  It knows nothing of Socket.IO.
"""

from mojo.engineio.handshake import Handshake
from mojo.engineio.options import EngineOptions
from mojo.engineio.ports import CloseReason, Receiver
from mojo.engineio.resource import EngineResource
from mojo.engineio.server import EngineServer
from mojo.engineio.session import EngineSession
from mojo.engineio.site import EngineSite

__all__ = [
    "CloseReason",
    "EngineOptions",
    "EngineResource",
    "EngineServer",
    "EngineSession",
    "EngineSite",
    "Handshake",
    "Receiver",
]
