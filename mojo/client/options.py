"""
The options of a client, with the official client's names and defaults.

The names are in snake_case, times in seconds and sizes in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

TRANSPORTS = ("polling", "websocket")

# RFC 9110 section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE_END = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """
    What a client may be told.

    Attributes:
        path: the path of the server's endpoint.
        transports: which of ``"polling"`` and ``"websocket"`` are used, the first one
            to begin with.
        upgrade: whether to move from long-polling to WebSocket.
        try_all_transports: whether to try the next transport when the first fails.
        query: fields for the query of every request, and those of the URL.
        extra_headers: more headers of every request.
        cookies: cookies of every request; those that the server sets on long-polling
            are added, as a load balancer's sticky sessions need it.
        timeout: seconds to connect in, and to upgrade in; 0 for any time.
        reconnection: whether to connect again when the connection is lost.
        reconnection_attempts: how often in a row.
        reconnection_delay: seconds before the first attempt; doubled for each
            further one.
        reconnection_delay_max: most seconds before an attempt.
        randomization_factor: by what part of it the delay is made shorter or longer
            at random, so that a server's clients do not come back all at once.
        max_payload: most bytes of one WebSocket message or long-polling response that
            is taken from the server.
        max_attachments: most binary attachments of a packet.
        attachment_timeout: seconds between a binary packet and its next attachment.
        max_queued_events: events of one socket that wait for an earlier one to be
            handled; beyond it the server is not read until half are done.
        close_timeout: seconds the server has to let us go.
    """

    path: str = "/socket.io/"
    transports: tuple[str, ...] = TRANSPORTS
    upgrade: bool = True
    try_all_transports: bool = False
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 20.0
    reconnection: bool = True
    reconnection_attempts: float = float("inf")
    reconnection_delay: float = 1.0
    reconnection_delay_max: float = 5.0
    randomization_factor: float = 0.5
    max_payload: int = 10_000_000
    max_attachments: int = 10
    attachment_timeout: float = 60.0
    max_queued_events: int = 100
    close_timeout: float = 5.0

    def __post_init__(self) -> None:
        unknown = [name for name in self.transports if name not in TRANSPORTS]
        if unknown or not self.transports:
            raise ValueError(f"transports: {self.transports!r} is not one or more of {TRANSPORTS}")
        for name, value in self.extra_headers.items():
            if not _TOKEN.fullmatch(name) or _LINE_END.search(value):
                raise ValueError(f"extra_headers: {name!r} cannot be sent")
        for name, value in self.cookies.items():
            if not _TOKEN.fullmatch(name) or _LINE_END.search(value) or ";" in value:
                raise ValueError(f"cookies: {name!r} cannot be sent")
        if not 0 <= self.randomization_factor <= 1:
            raise ValueError("randomization_factor is between 0 and 1")
