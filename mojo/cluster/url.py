"""The URL of a cluster: a Redis, the format, and what the channels begin with."""

from __future__ import annotations

from typing import NamedTuple

from mojo.cluster.wire import PREFIX
from mojo.errors import SettingsError
from mojo.redis.address import RedisAddress

#: The formats, by the names of the official adapters.
ADAPTERS = ("pubsub", "streams")


class ClusterUrl(NamedTuple):
    """
    What the URL of a cluster says.

    Attributes:
        address: where the Redis is.
        prefix: what the channels begin with.
        adapter: the format.
        python_socketio: the channel of python-socketio's servers; ``None`` if there are none.
    """

    address: RedisAddress
    prefix: str
    adapter: str
    python_socketio: str | None


def read_url(url: str, setting: str) -> ClusterUrl:
    """
    Read the URL of a cluster.

    Args:
        url: where the Redis is.  Its query may have ``adapter``, which is the format, ``pubsub``
            unless it is ``streams``; ``prefix``, what the channels of this cluster begin with;
            and ``python_socketio``, the channel of python-socketio's servers.
        setting: what names it, for the error.
    Raises:
        SettingsError: it is no URL of a Redis, or asks for another format, or for a channel
            that is one of ours.
    """
    address = RedisAddress(url, setting, ("adapter", "prefix", "python_socketio"))
    adapter = address.options.get("adapter", "pubsub")
    if adapter not in ADAPTERS:
        known = " and ".join(map(repr, ADAPTERS))
        raise SettingsError([f"{setting} has adapter={adapter!r}; known are {known}"])
    prefix = address.options.get("prefix", PREFIX)
    channel = address.options.get("python_socketio")
    # What is listened to under one name is given to one listener.
    if channel is not None and (not channel or channel.startswith((f"{prefix}#", f"{prefix}-"))):
        raise SettingsError(
            [f"{setting} has python_socketio={channel!r}; it is the channel's name, as 'socketio'"]
        )
    return ClusterUrl(address, prefix, adapter, channel)
