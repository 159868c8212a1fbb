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
from mojo.engineio.admission import ask_for_id, ask_whether_allowed, is_asked
from mojo.engineio.asker import Asker, Askers
from mojo.engineio.exchange import Exchange, Upload, WebExchange
from mojo.engineio.found import Found
from mojo.engineio.handshake import Handshake
from mojo.engineio.packet import Packet
from mojo.engineio.ports import CloseReason
from mojo.engineio.response_headers import ResponseHeaders
from mojo.engineio.server import EngineServer
from mojo.engineio.session import EngineSession
from mojo.engineio.terms import Terms
from mojo.engineio.transports.opening import check_upgrade
from mojo.engineio.transports.polling import PollingTransport
from mojo.engineio.transports.websocket import WebSocketFactory, WebSocketTransport
from mojo.engineio.upgrade import Upgrade
from mojo.engineio.versions import VERSION_4, Version
from mojo.errors import EngineError, EngineErrorCode, PayloadTooLongError, RemoteError

_log = Logger()

_TEXT = b"text/plain; charset=UTF-8"
_HTML = b"text/html; charset=UTF-8"

_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1000}")


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
        self._websockets = WebSocketFactory(
            engine.clock, engine.options, engine.stats, engine.flushes
        )
        #: Reads together with the WebSockets; see `Mount`.
        self.read_for = self._websockets.poller.lend
        self._askers = Askers(engine.origins, engine.proxies)
        self._headers = ResponseHeaders(engine.options)
        self._told_of_eio3 = False

    def render(self, request: Request) -> int:
        """Serve one request; the answer is always written here, never returned."""
        self.serve(WebExchange(request))
        return NOT_DONE_YET

    def serve(self, exchange: Exchange) -> None:
        """Serve one request, whichever way it came."""
        asker: Asker | None = None
        terms: Terms | None = None
        try:
            found = exchange.found
            if found is not None and found.holds:
                asker, terms = found.asker, found.terms
            else:
                found = None
                asker = exchange.asker(self._askers.judge)
                terms = exchange.terms
                asker = self._page_of(asker, terms)
                asker.check_origin()
            exchange.fields = asker.answer_fields
            if exchange.method == b"OPTIONS":
                self._answer_preflight(exchange, asker)
            else:
                if found is None:
                    found = exchange.found = self._find(exchange.method, asker, terms)
                if asker.is_upgrade:
                    self._serve_websocket(exchange, found)
                else:
                    self._serve_polling(exchange, found)
        except RemoteError as exc:
            self._refuse(exchange, exc, asker if terms is not None else None)
        except Exception:
            self._break(exchange)

    @property
    def busy(self) -> bool:
        """Whether there is a session, or a WebSocket that has not closed."""
        return bool(self.engine.sessions or self._websockets.connections)

    def abort(self) -> None:
        """Break off what is left after the engine was stopped."""
        self.engine.abort()
        self._websockets.closing.expire_all()

    def upload_begins(self, upload: Upload) -> Callable[[], None] | None:
        """
        Note that a POST's headers are in, when its body may be yet to come.

        Called by `mojo.engineio.channel`; on another site the POST is first heard of
        when it is complete.

        Raises:
            EngineError: another POST of that session is under way; it has failed.
        """
        found = upload.found
        if found is None or not found.holds:
            try:
                asker = self._page_of(upload.asker(self._askers.judge), upload.terms)
                asker.check_origin()
                found = upload.found = self._find(b"POST", asker, upload.terms)
            except Exception:
                # Whatever it is, `serve` meets it again, and answers.  Only what may have to do
                # with a session may count as its POST: a second one ends it.
                return None
        transport = None if found.session is None else found.session.transport
        if not isinstance(transport, PollingTransport):
            return None
        transport.begin_upload()
        return transport.end_upload

    # -- one request --------------------------------------------------------

    def _page_of(self, asker: Asker, terms: Terms) -> Asker:
        """Give who is asking, with the page that a script's request comes from."""
        if terms.script is not None and asker.origin is None:
            return self._askers.of_script(asker)
        return asker

    def _find(self, method: bytes, asker: Asker, terms: Terms) -> Found:
        """
        Find the session that a request is for, if it has one, and the version that it speaks.

        Raises:
            EngineError: it is none that could have to do with a session, or it is somebody
                else's.
        """
        name = terms.transport
        if name not in self.engine.options.transports:
            raise EngineError(EngineErrorCode.UNKNOWN_TRANSPORT)
        session = self.engine.find(terms.sid) if terms.sid is not None else None
        if session is None and method != b"GET":
            raise EngineError(EngineErrorCode.BAD_HANDSHAKE_METHOD)
        if (name == "websocket") is not asker.is_upgrade:
            raise EngineError(
                EngineErrorCode.BAD_REQUEST, detail="the transport and the Upgrade header disagree"
            )
        version = self._version_of(terms)
        if session is not None:
            if session.handshake.protocol != version.number:
                raise EngineError(
                    EngineErrorCode.BAD_REQUEST, detail="the session speaks another EIO"
                )
            asker.check_owner(session.handshake, self.engine.identify)
        return Found(asker, terms, session, version)

    def _version_of(self, terms: Terms) -> Version:
        """
        Choose the version of the protocol that a request speaks.

        Version 3 had no ``EIO`` at first, so that a request without one is of that
        version.

        Raises:
            EngineError: it is neither version 4 nor, where that is allowed, 3.
        """
        asked = terms.version
        if asked == "4":
            return VERSION_4
        is_old = asked in (None, "3")
        if is_old and self.engine.options.allow_eio3:
            # Here, since a start need not wait for what few allow.
            from mojo.engineio.version3 import VERSION_3, VERSION_3_BASE64  # noqa: PLC0415

            return VERSION_3_BASE64 if terms.base64 else VERSION_3
        detail = "neither EIO=4 nor EIO=3"
        if is_old:
            # Only once: an old client comes back for ever, and there may be many.
            hint = "; allow_eio3 lets clients of Socket.IO 2 in"
            detail = "Engine.IO 3" + ("" if self._told_of_eio3 else hint)
            self._told_of_eio3 = True
        raise EngineError(EngineErrorCode.UNSUPPORTED_PROTOCOL_VERSION, detail=detail)

    def _serve_polling(self, exchange: Exchange, found: Found) -> None:
        asker, session, version = found.asker, found.session, found.version
        index = found.terms.script
        if index is not None:
            jsonp.check_index(index)
        if session is None:
            self._open(
                exchange,
                asker,
                version,
                lambda session: self._open_polling(exchange, asker, session, version, index),
            )
            return
        if not isinstance(session.transport, PollingTransport):
            raise EngineError(
                EngineErrorCode.BAD_REQUEST, detail="polling after the move to WebSocket"
            )
        if self._headers.are_asked_for:
            hooked = self._headers.of(asker.facts(exchange.uri))
            exchange.fields = exchange.fields.with_hooks(hooked)
        if exchange.method == b"GET":
            session.transport.poll(exchange, asker, index)
        elif exchange.method == b"POST":
            self._receive(
                exchange, asker, session, session.transport, version, is_jsonp=index is not None
            )
        else:
            raise EngineError(EngineErrorCode.BAD_REQUEST, detail="neither GET nor POST")

    def _receive(
        self,
        exchange: Exchange,
        asker: Asker,
        session: EngineSession,
        transport: PollingTransport,
        version: Version,
        *,
        is_jsonp: bool,
    ) -> None:
        body = exchange.read_body(self.max_body + 1)
        self.engine.stats.bytes_recv += len(body)
        if len(body) > self.max_body:
            detail = f"a payload longer than max_payload ({self.max_body} bytes)"
            session.fail(CloseReason.TRANSPORT_ERROR, detail)
            raise PayloadTooLongError(detail)
        if not exchange.upload_announced:
            exchange.when_over = transport.upload_over
            transport.begin_upload()

        def answer() -> None:
            if exchange.over:
                return
            if session.failure:
                # Said by a layer above while it read one of the packets.
                self._refuse(exchange, EngineError(EngineErrorCode.BAD_REQUEST), asker)
            else:
                # The answer to a form is shown in a frame, where text/plain may be
                # offered as a download.
                exchange.answer(200, _HTML if is_jsonp else _TEXT, b"ok")

        def packets() -> Iterator[Packet]:
            payload = jsonp.unwrap(body) if is_jsonp else body
            return version.decode_payload(payload, is_binary=asker.is_binary)

        transport.receive(packets, answer)

    def _serve_websocket(self, exchange: Exchange, found: Found) -> None:
        check_upgrade(exchange)
        asker, session, version = found.asker, found.session, found.version
        if session is None:
            self._open(
                exchange,
                asker,
                version,
                lambda session: self._open_websocket(exchange, session, version),
            )
            return
        headers = self._headers.of(asker.facts(exchange.uri))
        if self._can_upgrade(session):
            assert isinstance(session.transport, PollingTransport)
            candidate = self._websockets.accept(exchange, session, version, headers)
            Upgrade(
                session,
                session.transport,
                candidate,
                self.engine.clock,
                self.engine.options.upgrade_timeout,
            )
        else:
            stray: WebSocketTransport = self._websockets.accept(exchange, session, version, headers)
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
        exchange: Exchange,
        asker: Asker,
        version: Version,
        begin: Callable[[EngineSession], None],
    ) -> None:
        """Open a session, if the application allows it, which may take its time."""
        engine = self.engine
        began = engine.clock.seconds()

        def handshake() -> Handshake:
            return asker.handshake(exchange.uri, engine.identify, began, version.number)

        if not is_asked(engine.options):
            begin(engine.new_session(handshake()))
            return

        async def ask(facts: Handshake) -> None:
            try:
                await ask_whether_allowed(engine.options, facts)
                eid = await ask_for_id(engine.options, facts)
                if not exchange.over:
                    # The login may have ended while the application made up its mind, and
                    # nobody was here yet to lose it.
                    now = handshake()
                    begin(engine.new_session(facts if now.identity == facts.identity else now, eid))
            except RemoteError as exc:
                if not exchange.over:
                    self._refuse(exchange, exc, asker)

        asking = Deferred.fromCoroutine(ask(handshake()))
        asking.addErrback(lambda failure: self._break(exchange, failure))

    def _open_polling(
        self,
        exchange: Exchange,
        asker: Asker,
        session: EngineSession,
        version: Version,
        index: str | None,
    ) -> None:
        hooked = self._headers.of(session.handshake, session.eid)
        exchange.fields = exchange.fields.with_hooks(hooked)
        transport = PollingTransport(session, self.engine.options, self.engine.stats, version)
        self.engine.start(session, transport)
        transport.poll(exchange, asker, index)

    def _open_websocket(self, exchange: Exchange, session: EngineSession, version: Version) -> None:
        headers = self._headers.of(session.handshake, session.eid)
        # Old clients are told of their session later; see `EngineServer.start`.
        is_told = version is VERSION_4
        transport = self._websockets.accept(exchange, session, version, headers, says_more=is_told)
        self.engine.start(session, transport)
        transport.read_early()

    # -- other answers ------------------------------------------------------

    def _answer_preflight(self, exchange: Exchange, asker: Asker) -> None:
        if asker.origin is not None:
            pairs = [
                (b"access-control-allow-methods", b"GET, POST"),
                (b"access-control-max-age", b"600"),
            ]
            wanted = exchange.read_head().get("access-control-request-headers", ("",))[-1]
            if _HEADER_NAMES.fullmatch(wanted):
                pairs.append((b"access-control-allow-headers", wanted.encode("ascii")))
            exchange.fields = exchange.fields.adding(pairs)
        exchange.answer(204, _TEXT, b"")

    def _refuse(self, exchange: Exchange, error: RemoteError, asker: Asker | None) -> None:
        """Answer with an error and its JSON body, log why, and tell the application."""
        if not isinstance(error, EngineError):
            error = EngineError(EngineErrorCode.BAD_REQUEST, detail=str(error), status=error.status)
        self.engine.stats.refused[error.code] += 1
        _log.info(
            "refused {method} {path} from {address}: {status} {error}",
            method=exchange.method.decode("latin-1"),
            path=exchange.uri.partition(b"?")[0].decode("latin-1"),
            address=exchange.transport_address if asker is None else asker.address,
            status=error.status,
            error=str(error),
        )
        body = json.dumps({"code": int(error.code), "message": error.message})
        exchange.answer(error.status, b"application/json", body.encode("utf-8"))
        if self.engine.options.connection_error is not None:
            facts = None if asker is None else asker.facts(exchange.uri)
            try:
                self.engine.options.connection_error(error, facts)
            except Exception:
                _log.failure("connection_error failed")

    def _break(self, exchange: Exchange, failure: Failure | None = None) -> None:
        """Answer for a mistake of our own."""
        _log.failure("a request failed", failure=failure)
        if not exchange.over:
            exchange.answer(500, _TEXT, b"")
