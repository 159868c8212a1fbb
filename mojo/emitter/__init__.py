"""
Sending to a cluster's clients from what is no server: a cron job, a Celery task, a Django view.

`Emitter` blocks until Redis has the message, and needs no reactor; `TwistedEmitter` gives
Deferreds.  Both have the same words.  What they tell Redis is what ``@socket.io/redis-emitter`` or
``@socket.io/redis-streams-emitter`` does, so Node's servers understand it too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mojo.emitter.blocking import Emitter as Emitter
from mojo.emitter.operator import EmitterOperator as EmitterOperator
from mojo.errors import RedisUnavailable as RedisUnavailable
from mojo.errors import UnsendableError as UnsendableError

if TYPE_CHECKING:
    from mojo.emitter.deferred import TwistedEmitter as TwistedEmitter

__all__ = ["Emitter", "EmitterOperator", "RedisUnavailable", "TwistedEmitter", "UnsendableError"]


def __getattr__(name: str) -> Any:
    # What it needs makes a reactor, which is nothing for who has none.
    if name == "TwistedEmitter":
        return import_module("mojo.emitter.deferred").TwistedEmitter
    raise AttributeError(f"module 'mojo.emitter' has no attribute {name!r}")
