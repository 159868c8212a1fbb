"""
Engine.IO over twisted.web: one URL path, GET, POST and WebSocket upgrades.

Requests are checked in the order of the reference server, and refused with its JSON
bodies: ``{"code": 1, "message": "Session ID unknown"}``.  A query that the protocol
makes mandatory is mandatory on every request, not only on the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from mojo.engineio import jsonp
from mojo.engineio.admission import ask_for_id, ask_whether_allowed
from mojo.engineio.handshake import (
    Facts,
    check_origin,
    open_handshake,
    read_facts,
    read_query,
)
from mojo.engineio.ownership import check_owner
from mojo.engineio.packet import Packet
from mojo.engineio.ports import CloseReason
from mojo.engineio.response_headers import HeaderPairs, ResponseHeaders
from mojo.engineio.server import EngineServer
from mojo.engineio.session import EngineSession
from mojo.engineio.site import EngineRequest
from mojo.engineio.transports.opening import check_upgrade, is_upgrade
from mojo.engineio.transports.polling import PollingTransport
from mojo.engineio.transports.websocket import WebSocketFactory, WebSocketTransport
from mojo.engineio.upgrade import Upgrade
from mojo.engineio.version3 import VERSION_3, VERSION_3_BASE64
from mojo.engineio.versions import VERSION_4, Version
from mojo.errors import EngineError, EngineErrorCode, PayloadTooLongError, RemoteError

_log = Logger()

_HEADER_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1000}")


class EngineResource(Resource):
    """
    A mount: the resource at whose path an `EngineServer` is reached.

    Args:
        engine: the sessions behind it.
    """

    isLeaf = True

    def __init__(self, engine: EngineServer) -> None:
        super().__init__()
        self.engine = engine
        self.max_body = engine.options.max_payload
        self._websockets = WebSocketFactory(engine.clock, engine.options, engine.stats)
        self._headers = ResponseHeaders(engine.options)
        self._told_of_eio3 = False

    def render(self, request: Request) -> int:
        """Serve one request; the answer is always written here, never returned."""
        _set_security_headers(request)
        facts: Facts | None = None
        try:
            facts = read_facts(request, self.engine.proxies)
            check_origin(facts, self.engine.origins)
            if facts.origin is not None:
                self._set_cors_headers(request, facts, facts.origin)
            if request.method == b"OPTIONS":
                _answer(request, 204, b"")
            else:
                self._serve(request, facts)
        except RemoteError as exc:
            self._refuse(request, exc, facts)
        return NOT_DONE_YET

    @property
    def busy(self) -> bool:
        """Whether there is a session, or a WebSocket that has not closed."""
        return bool(self.engine.sessions or self._websockets.countConnections)

    def abort(self) -> None:
        """Break off what is left after the engine was stopped."""
        self.engine.abort()
        self._websockets.closing.expire_all()

    def body_announced(self, request: EngineRequest, uri: bytes) -> None:
        """
        Note that a POST's headers are in, when its body is yet to come.

        Called by `mojo.engineio.site`; on another site the POST is first heard of
        when it is complete.

        Raises:
            EngineError: another POST of that session is under way; it has failed.
        """
        transport = self._polling_transport_of(uri)
        if transport is not None:
            transport.begin_upload()
            request.upload_announced = True
            request.notifyFinish().addBoth(lambda _: transport.end_upload())

    def _polling_transport_of(self, uri: bytes) -> PollingTransport | None:
        try:
            sids = read_query(uri).get("sid", ())
        except EngineError:
            return None
        session = self.engine.sessions.get(sids[0]) if len(sids) == 1 else None
        transport = session.transport if session is not None else None
        return transport if isinstance(transport, PollingTransport) else None

    # -- one request --------------------------------------------------------

    def _serve(self, request: Request, facts: Facts) -> None:
        name = facts.get_query("transport")
        upgrade = is_upgrade(request)
        if name not in self.engine.options.transports:
            raise EngineError(EngineErrorCode.UNKNOWN_TRANSPORT)
        sid = facts.get_query("sid")
        session = self.engine.find(sid) if sid is not None else None
        if session is None and request.method != b"GET":
            raise EngineError(EngineErrorCode.BAD_HANDSHAKE_METHOD)
        if (name == "websocket") is not upgrade:
            raise EngineError(
                EngineErrorCode.BAD_REQUEST, detail="the transport and the Upgrade header disagree"
            )
        version = self._version_of(facts)
        if session is not None:
            if session.handshake.protocol != version.number:
                raise EngineError(
                    EngineErrorCode.BAD_REQUEST, detail="the session speaks another EIO"
                )
            check_owner(session.handshake, facts, self.engine.identify)
        if upgrade:
            check_upgrade(request)
            self._serve_websocket(request, facts, session, version)
        else:
            self._serve_polling(request, facts, session, version)

    def _version_of(self, facts: Facts) -> Version:
        """
        Choose the version of the protocol that a request speaks.

        Version 3 had no ``EIO`` at first, so that a request without one is of that
        version.

        Raises:
            EngineError: it is neither version 4 nor, where that is allowed, 3.
        """
        asked = facts.get_query("EIO")
        if asked == "4":
            return VERSION_4
        is_old = asked in (None, "3")
        if is_old and self.engine.options.allow_eio3:
            return VERSION_3_BASE64 if facts.get_query("b64") else VERSION_3
        detail = "neither EIO=4 nor EIO=3"
        if is_old:
            # Only once: an old client comes back for ever, and there may be many.
            hint = "; allow_eio3 lets clients of Socket.IO 2 in"
            detail = "Engine.IO 3" + ("" if self._told_of_eio3 else hint)
            self._told_of_eio3 = True
        raise EngineError(EngineErrorCode.UNSUPPORTED_PROTOCOL_VERSION, detail=detail)

    def _serve_polling(
        self, request: Request, facts: Facts, session: EngineSession | None, version: Version
    ) -> None:
        index = jsonp.read_index(facts.get_query("j"))
        if session is None:
            self._open(
                request,
                facts,
                version,
                lambda session: self._open_polling(request, session, version, index),
            )
            return
        if not isinstance(session.transport, PollingTransport):
            raise EngineError(
                EngineErrorCode.BAD_REQUEST, detail="polling after the move to WebSocket"
            )
        self._add_headers(request, self._headers.of(facts))
        if request.method == b"GET":
            session.transport.poll(request, index)
        elif request.method == b"POST":
            self._receive(request, facts, session, session.transport, version, index is not None)
        else:
            raise EngineError(EngineErrorCode.BAD_REQUEST, detail="neither GET nor POST")

    def _receive(
        self,
        request: Request,
        facts: Facts,
        session: EngineSession,
        transport: PollingTransport,
        version: Version,
        is_jsonp: bool,
    ) -> None:
        assert request.content is not None
        body = request.content.read(self.max_body + 1)
        self.engine.stats.bytes_recv += len(body)
        if len(body) > self.max_body:
            detail = f"a payload longer than max_payload ({self.max_body} bytes)"
            session.fail(CloseReason.TRANSPORT_ERROR, detail)
            raise PayloadTooLongError(detail)
        if not getattr(request, "upload_announced", False):
            transport.begin_upload()
            request.notifyFinish().addBoth(lambda _: transport.end_upload())
        finished: list[object] = []
        request.notifyFinish().addBoth(finished.append)

        def answer() -> None:
            if finished:
                return
            if session.failure:
                # Said by a layer above while it read one of the packets.
                self._refuse(request, EngineError(EngineErrorCode.BAD_REQUEST), facts)
            else:
                if is_jsonp:
                    # The answer to a form is shown in a frame, where text/plain may be
                    # offered as a download.
                    request.setHeader(b"content-type", b"text/html; charset=UTF-8")
                _answer(request, 200, b"ok")

        is_binary = _content_type(request) == b"application/octet-stream"

        def packets() -> Iterator[Packet]:
            payload = jsonp.unwrap(body) if is_jsonp else body
            yield from version.decode_payload(payload, is_binary=is_binary)

        transport.receive(packets(), answer)

    def _serve_websocket(
        self, request: Request, facts: Facts, session: EngineSession | None, version: Version
    ) -> None:
        if session is None:
            self._open(
                request,
                facts,
                version,
                lambda session: self._open_websocket(request, session, version),
            )
            return
        headers = self._headers.of(facts)
        if self._can_upgrade(session):
            assert isinstance(session.transport, PollingTransport)
            candidate = self._websockets.accept(request, session, version, headers)
            Upgrade(
                session,
                session.transport,
                candidate,
                self.engine.clock,
                self.engine.options.upgrade_timeout,
            )
        else:
            stray: WebSocketTransport = self._websockets.accept(request, session, version, headers)
            stray.close(CloseReason.TRANSPORT_ERROR)

    def _can_upgrade(self, session: EngineSession) -> bool:
        return (
            self.engine.options.allow_upgrades
            and session.upgrade is None
            and isinstance(session.transport, PollingTransport)
        )

    # -- new sessions -------------------------------------------------------

    def _open(
        self,
        request: Request,
        facts: Facts,
        version: Version,
        begin: Callable[[EngineSession], None],
    ) -> None:
        """Open a session, if the application allows it, which may take its time."""
        engine = self.engine
        handshake = open_handshake(
            facts, engine.origins, engine.identify, engine.clock.seconds(), version.number
        )
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)

        async def ask() -> None:
            try:
                await ask_whether_allowed(engine.options, handshake)
                eid = await ask_for_id(engine.options, handshake)
                if not gone:
                    begin(engine.new_session(handshake, eid))
            except RemoteError as exc:
                if not gone:
                    self._refuse(request, exc, facts)

        Deferred.fromCoroutine(ask()).addErrback(request.processingFailed)

    def _open_polling(
        self, request: Request, session: EngineSession, version: Version, index: str | None
    ) -> None:
        self._add_headers(request, self._headers.of(session.handshake, session.eid))
        transport = PollingTransport(session, self.engine.options, self.engine.stats, version)
        self.engine.start(session, transport)
        transport.poll(request, index)

    def _open_websocket(self, request: Request, session: EngineSession, version: Version) -> None:
        headers = self._headers.of(session.handshake, session.eid)
        transport = self._websockets.accept(request, session, version, headers)
        self.engine.start(session, transport)
        transport.read_early()

    def _add_headers(self, request: Request, headers: HeaderPairs) -> None:
        for name in {name for name, _ in headers} - {"set-cookie", "vary"}:
            request.responseHeaders.removeHeader(name)
        for name, value in headers:
            request.responseHeaders.addRawHeader(name, value)

    # -- who is asking ------------------------------------------------------

    def _set_cors_headers(self, request: Request, facts: Facts, origin: str) -> None:
        request.setHeader(b"access-control-allow-origin", origin.encode("latin-1"))
        if self.engine.origins.trusts(origin, facts.host, facts.secure):
            request.setHeader(b"access-control-allow-credentials", b"true")
        request.responseHeaders.addRawHeader(b"vary", b"Origin")
        if request.method == b"OPTIONS":
            request.setHeader(b"access-control-allow-methods", b"GET, POST")
            request.setHeader(b"access-control-max-age", b"600")
            wanted = request.getHeader(b"access-control-request-headers") or b""
            if _HEADER_NAMES.fullmatch(wanted):
                request.setHeader(b"access-control-allow-headers", wanted)

    def _refuse(self, request: Request, error: RemoteError, facts: Facts | None) -> None:
        """Answer with an error and its JSON body, log why, and tell the application."""
        if not isinstance(error, EngineError):
            error = EngineError(EngineErrorCode.BAD_REQUEST, detail=str(error), status=error.status)
        self.engine.stats.refused[error.code] += 1
        _log.info(
            "refused {method} {path} from {address}: {status} {error}",
            method=request.method.decode("latin-1"),
            path=request.path.decode("latin-1"),
            address=self.engine.proxies.peer(request).address,
            status=error.status,
            error=str(error),
        )
        body = json.dumps({"code": int(error.code), "message": error.message})
        request.setHeader(b"content-type", b"application/json")
        _answer(request, error.status, body.encode("utf-8"))
        if self.engine.options.connection_error is not None:
            try:
                self.engine.options.connection_error(error, facts)
            except Exception:
                _log.failure("connection_error failed")


def _content_type(request: Request) -> bytes:
    header: bytes = request.getHeader(b"content-type") or b""
    return header.split(b";")[0].strip().lower()


def _answer(request: Request, status: int, body: bytes) -> None:
    request.setResponseCode(status)
    if not request.responseHeaders.hasHeader(b"content-type"):
        request.setHeader(b"content-type", b"text/plain; charset=UTF-8")
    request.setHeader(b"content-length", b"%d" % len(body))
    request.write(body)
    request.finish()


def _set_security_headers(request: Request) -> None:
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"x-content-type-options", b"nosniff")
