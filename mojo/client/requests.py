"""
The HTTP requests of long-polling, through twisted.web's Agent.

Two connections at most are kept open, one for the GET that waits and one for the POSTs.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IProtocol, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from mojo.client.address import Address
from mojo.client.cookies import Cookies
from mojo.client.options import ClientOptions
from mojo.errors import ConnectError, PayloadTooLongError

_MAX_ERROR_MESSAGE = 200


class Requests(Protocol):
    """What a long-polling transport needs of HTTP."""

    def get(self, eid: str | None) -> Deferred[bytes]:
        """Fetch a payload."""

    def post(self, eid: str, body: bytes) -> Deferred[bytes]:
        """Deliver one; the Deferred's result means nothing."""

    def close(self) -> Deferred[None]:
        """Close the connections that are kept; a request under way must be cancelled."""


class HttpRequests:
    """
    Makes the requests of one Engine.IO connection.

    Args:
        clock: for the idle connections.
        endpoints: gives the server's endpoint.
        address: where the server is.
        options: the client's.
        cookies: the client's; what the server sets is added.
    """

    def __init__(
        self,
        clock: IReactorTime,
        endpoints: IAgentEndpointFactory,
        address: Address,
        options: ClientOptions,
        cookies: Cookies,
    ) -> None:
        self._address = address
        self._options = options
        self._cookies = cookies
        self._pool = HTTPConnectionPool(clock, persistent=True)
        # Twisted would send a GET again when its connection broke before the answer.  The
        # server may have answered, and what was in that answer would be lost unnoticed.
        self._pool.retryAutomatically = False
        self._agent = Agent.usingEndpointFactory(clock, _QuietEndpoints(endpoints), self._pool)

    def get(self, eid: str | None) -> Deferred[bytes]:
        """Fetch a payload; see `Requests`."""
        return Deferred.fromCoroutine(self._request(b"GET", eid, None))

    def post(self, eid: str, body: bytes) -> Deferred[bytes]:
        """Deliver a payload; see `Requests`."""
        return Deferred.fromCoroutine(self._request(b"POST", eid, body))

    def close(self) -> Deferred[None]:
        """Close the connections that are kept; see `Requests`."""
        return self._pool.closeCachedConnections()  # type: ignore[no-any-return]

    async def _request(self, method: bytes, eid: str | None, body: bytes | None) -> bytes:
        """
        Make a request, and give the body of the response.

        Raises:
            ConnectError: the server answered with an error, or the connection broke.
            PayloadTooLongError: the response was longer than ``max_payload``.
        """
        address = self._address
        uri = address.root.rstrip("/") + address.resource("polling", eid)
        headers = Headers({"User-Agent": ["Mojo"], "Accept": ["*/*"]})
        for name, value in self._options.extra_headers.items():
            headers.setRawHeaders(name, [value])
        cookies = self._cookies.header()
        if cookies:
            headers.setRawHeaders("Cookie", [cookies])
        producer = None
        if body is not None:
            headers.setRawHeaders("Content-Type", ["text/plain;charset=UTF-8"])
            producer = _Body(body)
        try:
            response = await self._agent.request(method, uri.encode("ascii"), headers, producer)
            self._cookies.set(response.headers.getRawHeaders("set-cookie", []))
            answer = await _read_body(response, self._options.max_payload)
        except (ResponseFailed, RequestTransmissionFailed) as exc:
            # Twisted's own words are a list of failures.
            raise ConnectError(str(exc.reasons[0].value)) from exc
        if response.code != 200:
            raise ConnectError(_describe(response.code, answer))
        return answer


def _describe(status: int, body: bytes) -> str:
    """Say what an error response says: its status and, if it is Engine.IO's, the message."""
    message = ""
    try:
        error = json.loads(body)
        if isinstance(error, dict) and isinstance(error.get("message"), str):
            message = error["message"]
    except (ValueError, RecursionError):
        pass
    detail = f": {message}" if 0 < len(message) <= _MAX_ERROR_MESSAGE else ""
    return f"the server answered {status}{detail}"


@implementer(IAgentEndpointFactory)
class _QuietEndpoints:
    """Endpoints whose connections are not each logged twice by twisted.web's factory."""

    def __init__(self, endpoints: IAgentEndpointFactory) -> None:
        self._endpoints = endpoints

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        return _QuietEndpoint(self._endpoints.endpointForURI(uri))


@implementer(IStreamClientEndpoint)
class _QuietEndpoint:
    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, factory: Any) -> Deferred[IProtocol]:
        factory.noisy = False
        return self._endpoint.connect(factory)


@implementer(IBodyProducer)
class _Body:
    """A request's body: written at once, where Twisted's own takes turns on a reactor."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


class _BodyReader(TwistedProtocol):
    """Gathers a response's body, up to a limit."""

    transport: Any

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._pieces: list[bytes] = []
        self.body: Deferred[bytes] = Deferred(lambda _: self.transport.loseConnection())
        self._over = False

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left >= 0:
            self._pieces.append(data)
        elif not self._over:
            self._over = True
            self._pieces.clear()
            self.transport.loseConnection()
            self.body.errback(PayloadTooLongError("a response longer than max_payload"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._over:
            return
        self._over = True
        # Neither Content-Length nor chunks: the end cannot be told from a broken
        # connection (PotentialDataLoss), and no Engine.IO server does that.
        if reason.check(ResponseDone):
            self.body.callback(b"".join(self._pieces))
        elif not self.body.called:
            self.body.errback(reason)


def _read_body(response: IResponse, limit: int) -> Deferred[bytes]:
    reader = _BodyReader(limit)
    response.deliverBody(reader)
    return reader.body
