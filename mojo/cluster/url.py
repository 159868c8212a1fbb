"""The URL of a cluster: a Redis, the format, and what the channels begin with."""

from __future__ import annotations

from mojo.cluster.wire import PREFIX
from mojo.errors import SettingsError
from mojo.redis.address import RedisAddress

#: The formats, by the names of the official adapters.
ADAPTERS = ("pubsub", "streams")


def read_url(url: str, setting: str) -> tuple[RedisAddress, str, str]:
    """
    Give the address, the prefix of the channels, and the format.

    Args:
        url: where the Redis is.  Its query may have ``adapter``, which is the format, ``pubsub``
            unless it is ``streams``, and ``prefix``, what the channels of this cluster begin with.
        setting: what names it, for the error.
    Raises:
        SettingsError: it is no URL of a Redis, or asks for another format.
    """
    address = RedisAddress(url, setting, ("adapter", "prefix"))
    adapter = address.options.get("adapter", "pubsub")
    if adapter not in ADAPTERS:
        known = " and ".join(map(repr, ADAPTERS))
        raise SettingsError([f"{setting} has adapter={adapter!r}; known are {known}"])
    return address, address.options.get("prefix", PREFIX), adapter
