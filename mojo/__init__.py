"""
Mojo: the real-time application server for Twisted.

The names an app writer needs come from here; everything else is importable but not
promised.  They are loaded when they are asked for: an app that serves no pages does not
wait for what pages need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mojo.errors import AckTimeout as AckTimeout
    from mojo.errors import ConnectionRefused as ConnectionRefused
    from mojo.errors import Disconnected as Disconnected
    from mojo.errors import EventRefused as EventRefused
    from mojo.errors import HTTPError as HTTPError
    from mojo.errors import SessionUnavailable as SessionUnavailable
    from mojo.errors import UnsendableError as UnsendableError
    from mojo.guards import login_required as login_required
    from mojo.guards import require as require
    from mojo.project.app import App as App
    from mojo.secret_files import env as env
    from mojo.service import MojoService as MojoService
    from mojo.sessions.current import CURRENT_SESSIONS as CURRENT_SESSIONS
    from mojo.sessions.current import LOGGED_IN_SESSIONS as LOGGED_IN_SESSIONS
    from mojo.settings import Settings as Settings
    from mojo.socketio.event import event as event
    from mojo.socketio.handler import MojoSocketHandler as MojoSocketHandler
    from mojo.web.handler import MojoRequestHandler as MojoRequestHandler
    from mojo.web.mixins import MojoAuthMixin as MojoAuthMixin
    from mojo.web.mixins import MojoSessionMixin as MojoSessionMixin

_HOMES = {
    "AckTimeout": "mojo.errors",
    "App": "mojo.project.app",
    "CURRENT_SESSIONS": "mojo.sessions.current",
    "ConnectionRefused": "mojo.errors",
    "Disconnected": "mojo.errors",
    "EventRefused": "mojo.errors",
    "HTTPError": "mojo.errors",
    "LOGGED_IN_SESSIONS": "mojo.sessions.current",
    "MojoAuthMixin": "mojo.web.mixins",
    "MojoRequestHandler": "mojo.web.handler",
    "MojoService": "mojo.service",
    "MojoSessionMixin": "mojo.web.mixins",
    "MojoSocketHandler": "mojo.socketio.handler",
    "SessionUnavailable": "mojo.errors",
    "Settings": "mojo.settings",
    "UnsendableError": "mojo.errors",
    "event": "mojo.socketio.event",
    "env": "mojo.secret_files",
    "login_required": "mojo.guards",
    "require": "mojo.guards",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mojo' has no attribute {name!r}")
    return getattr(import_module(home), name)
