"""The options of the Socket.IO layer, with the reference server's names and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOptions:
    """
    What a Socket.IO server may be told.

    Attributes:
        connect_timeout: seconds a client has to join its first namespace.
        max_attachments: most binary attachments of a packet.
        attachment_timeout: seconds between a binary packet and its next attachment.
        max_unjoined: most clients that have not joined a namespace yet; beyond it the
            one that has waited longest is closed.
        max_queued_events: events of one connection that wait for an earlier one to
            be handled; beyond it the client is not read until half are done.
        max_namespaces: most namespaces of one client.
        slow_handler: seconds after which the handling of an event is logged as slow;
            0 is never.
        cleanup_empty_namespaces: whether a namespace that was made on demand goes with
            its last connection.
        idempotency_window: seconds for which an event that is handled once is remembered.
        max_idempotent_events: most of them that a namespace remembers.
        recovery: the attributes of `RecoveryOptions` that are not the default's;
            ``None`` for no connection state recovery.
    """

    connect_timeout: float = 45.0
    max_attachments: int = 10
    attachment_timeout: float = 60.0
    max_unjoined: int = 10_000
    max_queued_events: int = 100
    max_namespaces: int = 100
    slow_handler: float = 1.0
    cleanup_empty_namespaces: bool = False
    idempotency_window: float = 600.0
    max_idempotent_events: int = 10_000
    recovery: Mapping[str, float] | None = None
