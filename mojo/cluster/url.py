"""The URL of a cluster: a Redis, the format, and what the channels begin with."""

from __future__ import annotations

from mojo.cluster.wire import PREFIX
from mojo.errors import SettingsError
from mojo.redis.address import RedisAddress


def read_url(url: str, setting: str) -> tuple[RedisAddress, str]:
    """
    Give the address and the prefix of the channels.

    Args:
        url: where the Redis is.  Its query may have ``adapter=pubsub``, which is the format
            and the default, and ``prefix``, what the channels of this cluster begin with.
        setting: what names it, for the error.
    Raises:
        SettingsError: it is no URL of a Redis, or asks for another format.
    """
    address = RedisAddress(url, setting, ("adapter", "prefix"))
    adapter = address.options.get("adapter", "pubsub")
    if adapter != "pubsub":
        raise SettingsError([f"{setting} has adapter={adapter!r}; known is 'pubsub'"])
    return address, address.options.get("prefix", PREFIX)
