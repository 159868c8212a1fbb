"""
The client's side of long-polling: a GET that waits for packets, POSTs that bring them.

At most one GET and one POST are under way at a time: with two of either, packets could
overtake each other (Engine.IO protocol v4, "HTTP long-polling").
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from mojo.client.requests import Requests
from mojo.client.transport import TransportOwner
from mojo.engineio.packet import Packet, PacketType, encode_for_payload
from mojo.engineio.payload import decode_payload, encode_payload
from mojo.engineio.ports import CloseReason
from mojo.errors import PacketError, PayloadTooLongError

#: Packets of one POST: python-engineio takes no more, whatever their size.
_MAX_PACKETS = 16

_CLOSE = [Packet(PacketType.CLOSE)]


class PollingTransport:
    """
    Carries a connection over HTTP requests.

    Args:
        owner: the engine.
        clock: for the farewell.
        requests: makes the requests.
        close_timeout: seconds that the farewell may take.
    """

    name = "polling"

    def __init__(
        self,
        owner: TransportOwner,
        clock: IReactorTime,
        requests: Requests,
        close_timeout: float,
    ) -> None:
        self.owner = owner
        self._clock = clock
        self._requests = requests
        self._close_timeout = close_timeout
        self._eid: str | None = None
        self._get: Deferred[bytes] | None = None
        self._post: Deferred[bytes] | None = None
        self._paused = False
        self._closed = False
        self._gone = False
        self._resting = False
        self._rested: Callable[[], None] | None = None
        self._close_call: IDelayedCall | None = None

    @property
    def writable(self) -> bool:
        """Whether no POST is under way."""
        return self._post is None and self._eid is not None and not self._closed

    def size_of(self, packet: Packet) -> int:
        """Give the bytes of a packet in a payload; see `ClientTransport`."""
        return len(encode_for_payload(packet))

    def open(self, eid: str | None) -> None:
        """Send the first GET."""
        self._eid = eid
        self._poll()

    def opened(self, eid: str) -> None:
        """Learn the connection's id, which the open packet told."""
        self._eid = eid

    def write(self, packets: list[Packet], max_payload: int) -> int:
        """Send packets in a POST; see `ClientTransport`."""
        body, count = encode_payload(packets[:_MAX_PACKETS], max_payload)
        self._send(body)
        return count

    def rest(self, rested: Callable[[], None]) -> None:
        """Begin no more requests, and call back when none is under way: an upgrade."""
        self._resting = True
        self._rested = rested
        self._tell_if_idle()

    def go_on(self) -> None:
        """Go on after `rest`: the upgrade failed."""
        self._resting = False
        self._rested = None
        self._poll()

    def pause_reading(self) -> None:
        """Leave what comes with the server; see `ClientTransport`."""
        self._paused = True

    def resume_reading(self) -> None:
        """Poll again; see `ClientTransport`."""
        self._paused = False
        self._poll()

    def close(self, reason: CloseReason) -> None:
        """Tell the server by a close packet; see `ClientTransport`."""
        if self._closed:
            return
        self._closed = True
        self._rested = None
        if self._eid is None:
            self.abort()
            return
        self._close_call = self._clock.callLater(self._close_timeout, self.abort)
        if self._post is None:
            self._say_goodbye()

    def abort(self) -> None:
        """Cancel the requests under way; see `ClientTransport`."""
        self._closed = True
        self._rested = None
        if self._close_call is not None and self._close_call.active():
            self._close_call.cancel()
        self._close_call = None
        for request in (self._get, self._post):
            if request is not None:
                request.cancel()
        self._get = self._post = None
        if not self._gone:
            self._gone = True
            self._requests.close().addBoth(lambda _: self.owner.transport_gone(self))

    # -- within -------------------------------------------------------------

    def _poll(self) -> None:
        if self._get is None and not (self._closed or self._paused or self._resting):
            # Before the callbacks are added: they run at once if it was answered at once.
            self._get = request = self._requests.get(self._eid)
            request.addCallbacks(self._polled, self._get_failed)

    def _polled(self, body: bytes) -> None:
        self._get = None
        try:
            for packet in decode_payload(body):
                self.owner.packet_received(packet)
        except PacketError as exc:
            self._lose(CloseReason.PARSE_ERROR, exc)
            return
        self._poll()
        self._tell_if_idle()

    def _get_failed(self, failure: Failure) -> None:
        self._get = None
        self._request_failed(failure)

    def _send(self, body: bytes) -> None:
        assert self._eid is not None
        self._post = request = self._requests.post(self._eid, body)
        request.addCallbacks(self._posted, self._post_failed)

    def _posted(self, answer: bytes) -> None:
        self._post = None
        if self._closed:
            self._say_goodbye()
        elif self._resting:
            self._tell_if_idle()
        else:
            self.owner.transport_ready(self)

    def _post_failed(self, failure: Failure) -> None:
        self._post = None
        self._request_failed(failure)

    def _request_failed(self, failure: Failure) -> None:
        if self._closed:
            self.abort()
            return
        error = failure.value
        assert isinstance(error, Exception)
        if isinstance(error, PayloadTooLongError):
            self._lose(CloseReason.PARSE_ERROR, error)
        else:
            self._lose(CloseReason.TRANSPORT_ERROR, error)

    def _lose(self, reason: CloseReason, error: Exception) -> None:
        if not self._closed:
            self.owner.transport_lost(self, reason, error)

    def _say_goodbye(self) -> None:
        assert self._eid is not None
        farewell, _ = encode_payload(_CLOSE, 1)
        self._post = request = self._requests.post(self._eid, farewell)
        request.addBoth(lambda _: self.abort())

    def _tell_if_idle(self) -> None:
        if self._rested is not None and self._get is None and self._post is None:
            rested, self._rested = self._rested, None
            rested()
