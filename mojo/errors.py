"""
Every exception that Mojo raises on purpose.

The tree has two halves.  A `RemoteError` is a peer's fault: it carries the HTTP
status that answers it and never leaves the transports as an exception.  A
`LocalError` is for whoever runs or writes the application, and names what to
mend::

    MojoError
     +-- RemoteError               the peer sent what the protocol forbids
     |    +-- PacketError          a packet, payload or frame cannot be read
     |    +-- PayloadTooLongError  more bytes than ``max_payload``
     |    +-- HeadTooLongError     a request's URL or header is too long
     |    +-- EngineError          an Engine.IO request is refused, with a code
     |    +-- EventArgumentsError  an event with too few or too many arguments
     |         +-- InvalidArgumentsError  arguments that do not fit their annotations
     +-- LocalError                the operator or the app author can mend it
          +-- SettingsError        one or more settings are wrong
          +-- ProjectError         the project on disk cannot be loaded
          +-- ListenError          an endpoint could not be opened
          +-- EventTableError      a handler class declares an impossible event
          +-- UnsendableError      a value cannot be put on the wire
          +-- AmbiguousServiceError  several services run, none owns the caller
          +-- SessionError         a session cannot be used as the app does
               +-- SessionTooLargeError  more in a session than its store takes
     SessionUnavailable            the store of the sessions does not answer
     SessionMoved                  the visitor has another session id by now
     ConnectionRefused             raised *by* an app to refuse a connection
     EventRefused                  raised *by* an app to refuse an event
     ConnectError                  a client could not connect, or was refused
     Disconnected                  the connection went before the answer came
     AckTimeout                    the client did not acknowledge in time
     ClusterUnavailable            what servers have in common cannot be had now
      +-- RedisUnavailable         Redis does not answer, or refuses a command
     HTTPError                     raised *by* a page to answer with a status
      +-- TooManyTries             passwords were tried too often
      +-- TooManyWaiting           more passwords wait to be hashed than can be
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from http import HTTPStatus
from math import ceil
from typing import Any


class MojoError(Exception):
    """The root of the tree above."""


class RemoteError(MojoError):
    """
    The peer broke the protocol.

    Attributes:
        status: the HTTP status that answers it on long-polling.
    """

    status = 400


class PacketError(RemoteError):
    """A packet, payload or frame that cannot be read."""


class PayloadTooLongError(RemoteError):
    """A body or message longer than the ``maxPayload`` of the handshake."""

    status = 413


class HeadTooLongError(RemoteError):
    """A request whose first line, or one of whose headers, is too long."""

    status = 431


class EngineErrorCode(IntEnum):
    """The codes of an Engine.IO error body (engine.io 6.6, ``Server.errors``)."""

    UNKNOWN_TRANSPORT = 0
    UNKNOWN_SID = 1
    BAD_HANDSHAKE_METHOD = 2
    BAD_REQUEST = 3
    FORBIDDEN = 4
    UNSUPPORTED_PROTOCOL_VERSION = 5


_ENGINE_MESSAGES = {
    EngineErrorCode.UNKNOWN_TRANSPORT: "Transport unknown",
    EngineErrorCode.UNKNOWN_SID: "Session ID unknown",
    EngineErrorCode.BAD_HANDSHAKE_METHOD: "Bad handshake method",
    EngineErrorCode.BAD_REQUEST: "Bad request",
    EngineErrorCode.FORBIDDEN: "Forbidden",
    EngineErrorCode.UNSUPPORTED_PROTOCOL_VERSION: "Unsupported protocol version",
}


class EngineError(RemoteError):
    """
    An Engine.IO request that is refused.

    Attributes:
        code: what the peer reads in the body's ``code``.
        message: what the peer reads in the body's ``message``.
        detail: what the operator reads in the log; it never reaches the peer.
    """

    def __init__(
        self,
        code: EngineErrorCode,
        *,
        message: str | None = None,
        detail: str = "",
        status: int | None = None,
    ) -> None:
        self.code = code
        self.message = _ENGINE_MESSAGES[code] if message is None else message
        self.detail = detail
        self.status = status or (403 if code is EngineErrorCode.FORBIDDEN else 400)
        super().__init__(f"{self.message} ({detail})" if detail else self.message)


class EventArgumentsError(RemoteError):
    """
    A client emitted an event with a number of arguments that its method does not take.

    Attributes:
        answer: the acknowledgement's argument, if nothing else answers; ``None`` sends none.
    """

    answer: Any = None


class InvalidArgumentsError(EventArgumentsError):
    """
    A client emitted an event with arguments that its method, which is checked, does not take.

    Its text names the arguments and nothing of what was in them.

    Attributes:
        problems: what the client is told: ``{"argument": ..., "problem": ...}`` each.
    """

    def __init__(self, event: str, problems: Sequence[dict[str, str]]) -> None:
        self.problems = tuple(problems)
        names = ", ".join(dict.fromkeys(problem["argument"] for problem in problems))
        super().__init__(f"event {event!r} with invalid arguments: {names}")
        error = {"message": "invalid arguments", "data": list(self.problems)}
        self.answer = {"error": error}


class LocalError(MojoError):
    """Something that the operator or the author of the app can mend."""


class SettingsError(LocalError):
    """
    One or more settings are wrong.

    Attributes:
        problems: one sentence each, every one naming its setting.
        source: the file they came from, or ``""``.
    """

    def __init__(self, problems: Sequence[str], source: str = "") -> None:
        self.problems = tuple(problems)
        self.source = source
        where = f"{source}: " if source else ""
        super().__init__(where + "; ".join(self.problems))


class ProjectError(LocalError):
    """The project on disk cannot be loaded; the message names the file."""


class ListenError(LocalError):
    """An endpoint could not be opened; the message names it and the reason."""


class EventTableError(LocalError):
    """A handler class declares an event that can never be dispatched."""


class UnsendableError(LocalError, TypeError):
    """A value cannot be put on the wire; the message names the event and the type."""


class AmbiguousServiceError(LocalError):
    """Several services run in this process and none owns the calling code."""


class SessionError(LocalError):
    """A session is not loaded, cannot be changed here, or cannot hold a value."""


class SessionTooLargeError(SessionError):
    """More in a session than its store takes; the message has the sizes."""


class SessionUnavailable(MojoError):
    """The store of the sessions does not answer, or refuses; nothing was saved."""


class SessionMoved(MojoError):
    """
    The visitor has another session id by now: there was a login or a logout.

    Attributes:
        ago: seconds since then.
    """

    def __init__(self, ago: float) -> None:
        self.ago = ago
        super().__init__("the visitor has another session id by now")


class ConnectionRefused(MojoError):
    """
    Raised in ``on_open``, and by an ``allow_request`` hook, to refuse a connection.

    The client's ``connect_error`` event gets ``message`` and, where given,
    ``data`` (any JSON value).
    """

    def __init__(self, message: str = "Connection refused", data: Any = None) -> None:
        self.message = message
        self.data = data
        super().__init__(message)


class EventRefused(MojoError):
    """
    Raised in middleware, or in the method of an event, to refuse the event.

    A client that waits for an acknowledgement gets one argument:
    ``{"error": {"message": ..., "data": ...}}``, ``data`` (any JSON value) only where given.
    """

    def __init__(self, message: str = "Event refused", data: Any = None) -> None:
        self.message = message
        self.data = data
        super().__init__(message)

    @property
    def answer(self) -> dict[str, Any]:
        """What the client gets."""
        error = {"message": self.message}
        return {"error": error if self.data is None else {**error, "data": self.data}}


class ConnectError(MojoError, ConnectionError):
    """
    A client could not connect, or was refused by the server.

    Attributes:
        message: the reason; the server's own words if it refused.
        data: what the server sent with its refusal, or ``None``.
    """

    def __init__(self, message: str, data: Any = None) -> None:
        self.message = message
        self.data = data
        super().__init__(message)


class Disconnected(MojoError, ConnectionError):
    """The connection went before the answer came; the message is the reason."""


class AckTimeout(MojoError, TimeoutError):
    """The client did not acknowledge an event in the seconds allowed."""


class ClusterUnavailable(MojoError):
    """What servers, or workers, have in common cannot be had now."""


class RedisUnavailable(ClusterUnavailable):
    """Redis does not answer, or refuses a command."""


class HTTPError(MojoError):
    """
    Raised in a request handler to answer with an error status.

    The order of the arguments is Tornado's.

    Args:
        status: the HTTP status code, 400 to 599.
        log_message: what the operator reads; it never reaches the client.
        args: what is filled in for the ``%s`` and their like in ``log_message``.
        reason: the status line's words, which the client reads; the standard ones
            when left out.
    Raises:
        ValueError: the status is none of an error.
    """

    def __init__(
        self, status: int = 500, log_message: str = "", *args: Any, reason: str | None = None
    ) -> None:
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError(f"the status of an HTTPError is 400 to 599, not {status!r}")
        self.status = status
        # A line end would begin another header.
        self.reason = " ".join((reason or _standard_reason(status)).split())
        self.log_message = log_message % args if args else log_message
        detail = f" ({self.log_message})" if self.log_message else ""
        super().__init__(f"{status} {self.reason}{detail}")


class TooManyTries(HTTPError):
    """
    Passwords were tried too often; a page answers 429, with ``Retry-After``.

    Attributes:
        seconds: how long to wait.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(429, f"try again in {self.retry_after} seconds")

    @property
    def retry_after(self) -> int:
        """Whole seconds, no fewer than `seconds`."""
        return ceil(self.seconds)


class TooManyWaiting(HTTPError):
    """More passwords wait to be hashed than can be in a while; a page answers 503."""

    def __init__(self) -> None:
        super().__init__(503, "too many passwords wait to be hashed")


def _standard_reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
