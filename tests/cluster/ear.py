"""A `mojo.cluster.bus.Listener` that remembers."""

from __future__ import annotations


class Ear:
    """
    Listens to the channels of a name, as adapters do.

    Attributes:
        got: each channel and message that came.
    """

    def __init__(self, name: bytes) -> None:
        self.channels = (name + b"-request", name + b"-own")
        self.prefix = name + b"#"
        self.probe = name + b"-own"
        self.shared = name + b"-request"
        self.got: list[tuple[bytes, bytes]] = []

    def received(self, channel, data) -> None:
        self.got.append((channel, data))
