"""
Who is asking: what the headers of a request say, apart from its URL.

A client repeats its headers from one long-polling request to the next, byte for byte, so
that what follows from them is found once and kept with the connection.  Whatever is here
follows from those bytes, the connection and the options of the server, and from nothing
that changes while the connection lasts: what depends on the time, as the age of a cookie
does, is never kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mojo.engineio.answers import AnswerFields
from mojo.engineio.handshake import (
    ANONYMOUS,
    Facts,
    Handshake,
    Identify,
    read_cookies,
)
from mojo.engineio.head import Fields, read_fields, single
from mojo.engineio.origins import Origins, script_origin
from mojo.engineio.proxies import Peer, TrustedProxies
from mojo.engineio.transports.coding import choose_coding
from mojo.errors import EngineError, EngineErrorCode

_SECURITY = AnswerFields([(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")])


# Pairs of a page and a host that are remembered, and the characters of the longest.
_MAX_VERDICTS = 256
_MAX_ORIGIN = 256


class Verdict(NamedTuple):
    """
    What a server says to an origin.

    Attributes:
        is_trusted: whether its requests speak for the visitor whose cookies they bear.
        refusal: why it may not connect; empty, if it may.
        answer_fields: headers of every answer to it.
    """

    is_trusted: bool
    refusal: str
    answer_fields: AnswerFields


class Askers:
    """
    Makes the `Asker` of a request.

    Args:
        origins: which pages may connect.
        proxies: the proxies whose word is taken.
    """

    def __init__(self, origins: Origins, proxies: TrustedProxies) -> None:
        self._origins = origins
        self._proxies = proxies
        # A verdict follows from its key and the options: to remember it for other connections
        # saves each of them 25 µs, and tells nobody anything.
        self._verdicts: dict[tuple[str | None, str, bool], Verdict] = {}

    def judge(self, head: bytes, fields: Fields, address: str, secure: bool) -> Asker:
        """
        Tell who sent a request.

        Args:
            head: the header fields as they came, see `mojo.engineio.head`.
            fields: the same, read.
            address: the other end of the connection.
            secure: whether the connection is TLS.
        Raises:
            EngineError: an ``Origin`` or a ``Host`` that comes twice.
        """
        peer = self._proxies.judge(address, fields, secure=secure)
        return self._make(head, fields, peer, single(fields, "origin"))

    def of_script(self, asker: Asker) -> Asker:
        """Give the same for a JSONP request, whose page is shown by other headers."""
        fields = read_fields(asker.head)
        return self._make(
            asker.head, fields, Peer(asker.address, asker.secure), script_origin(fields)
        )

    def _make(self, head: bytes, fields: Fields, peer: Peer, origin: str | None) -> Asker:
        host = single(fields, "host") or ""
        key = origin, host, peer.secure
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._decide(*key)
            if len(origin or "") + len(host) <= _MAX_ORIGIN:
                if len(self._verdicts) >= _MAX_VERDICTS:
                    self._verdicts.clear()
                self._verdicts[key] = verdict
        return Asker(head, fields, peer, origin, verdict)

    def _decide(self, origin: str | None, host: str, secure: bool) -> Verdict:
        is_trusted = self._origins.trusts(origin, host, secure)
        if not self._origins.admits(origin, host, secure):
            scheme = "https" if secure else "http"
            expected = ", ".join((f"{scheme}://{host}", *self._origins.listed))
            return Verdict(is_trusted, f"origin {origin!r} is not one of {expected}", _SECURITY)
        if origin is None:
            return Verdict(is_trusted, "", _SECURITY)
        pairs = [(b"access-control-allow-origin", origin.encode("latin-1"))]
        if is_trusted:
            pairs.append((b"access-control-allow-credentials", b"true"))
        return Verdict(is_trusted, "", _SECURITY.adding([*pairs, (b"vary", b"Origin")]))


def _is_binary(content_type: str) -> bool:
    return content_type.split(";", maxsplit=1)[0].strip().lower() == "application/octet-stream"


def _has_token(values: Iterable[str], wanted: str) -> bool:
    return any(token.strip().lower() == wanted for value in values for token in value.split(","))


class Asker:
    """
    What a request's headers say.

    Args:
        head: the header fields as they came, see `mojo.engineio.head`.
        fields: the same, read.
        peer: the client, past trusted proxies.
        origin: see `Facts.origin`.
        verdict: what is said to that origin.

    Attributes:
        address: the client's IP address, or ``"unix"``.
        secure: whether the client came by https or wss.
        origin: see `Facts.origin`.
        cookies: the ``Cookie`` headers.
        is_binary: whether the body is said to be ``application/octet-stream``.
        is_upgrade: whether a WebSocket is asked for.
        answer_fields: headers of every answer.
    """

    __slots__ = (
        "_accepted",
        "_coding",
        "_is_trusted",
        "_owned",
        "_refusal",
        "address",
        "answer_fields",
        "cookies",
        "head",
        "is_binary",
        "is_upgrade",
        "origin",
        "secure",
    )

    def __init__(
        self, head: bytes, fields: Fields, peer: Peer, origin: str | None, verdict: Verdict
    ) -> None:
        self.head = head
        self.address, self.secure = peer
        self.origin = origin
        self._is_trusted, self._refusal, self.answer_fields = verdict
        self.cookies = fields.get("cookie", ())
        # Most requests have neither, or one that says no more than this.
        kinds, upgrades = fields.get("content-type"), fields.get("upgrade")
        self.is_binary = kinds is not None and _is_binary(kinds[-1])
        self.is_upgrade = upgrades is not None and (
            upgrades == ("websocket",) or _has_token(upgrades, "websocket")
        )
        self._accepted: str | None = fields.get("accept-encoding", ("",))[-1]
        self._coding: str | None = None
        self._owned: Handshake | None = None

    @property
    def coding(self) -> str | None:
        """The coding that a long answer should have; see `choose_coding`."""
        if self._accepted is not None:
            self._coding, self._accepted = choose_coding(self._accepted), None
        return self._coding

    def check_origin(self) -> None:
        """
        Check that a page of that origin may connect.

        Raises:
            EngineError: it may not; the detail lists those that may.
        """
        if self._refusal:
            raise EngineError(
                EngineErrorCode.FORBIDDEN, message="Origin not allowed", detail=self._refusal
            )

    def owns(self, handshake: Handshake) -> bool:
        """Tell whether `check_owner` would let it pass at any time from now on."""
        owner = handshake.session_id or handshake.user_id
        return owner is None or self._owned is handshake

    def check_owner(self, handshake: Handshake, identify: Identify) -> None:
        """
        Refuse a request for a visitor's session that comes from somebody else.

        The id in the URL is a secret, but URLs end up in logs: whoever found one
        there must not be able to read a visitor's messages.  A browser sends its
        cookies with every request; there are clients (python-socketio's) that send
        them with the first alone, and those must come from the same address.  The
        session itself is left alone.

        Args:
            handshake: of the session.
            identify: tells from a request's cookies who the visitor is.
        Raises:
            EngineError: it comes from somebody else.
        """
        if self.owns(handshake):
            return
        if self.cookies == handshake.headers.get("cookie", ()):
            # The same for ever, other than what `identify` says, which is asked each time.
            self._owned = handshake
            return
        identity = identify(read_cookies(self.cookies))
        # A visitor without a session is known by the login alone.
        owner = handshake.session_id or handshake.user_id
        asking = identity.user_id if handshake.session_id is None else identity.session_id
        if asking is None and self.address == handshake.address:
            return
        if asking != owner:
            raise EngineError(
                EngineErrorCode.FORBIDDEN, detail="the session belongs to another visitor"
            )

    def facts(self, uri: bytes) -> Facts:
        """Give what a request says, for the application."""
        return Facts(uri, self.head, self.address, self.secure)

    def handshake(self, uri: bytes, identify: Identify, now: float, protocol: int) -> Handshake:
        """
        Give the facts of a request that opens a session, with who the visitor is.

        The cookies of a page that is let in by ``"*"`` alone are not believed: they are
        its visitor's, but the page is anybody's.
        """
        identity = identify(read_cookies(self.cookies)) if self._is_trusted else ANONYMOUS
        return Handshake(
            uri,
            self.head,
            self.address,
            self.secure,
            identity=identity,
            issued=now,
            protocol=protocol,
        )
