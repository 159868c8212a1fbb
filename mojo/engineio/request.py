"""
A request of twisted.web on an `EngineSite`: its body is measured as it comes, its form read.

See `mojo.engineio.channel` for the connection that it comes by.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger
from twisted.web.server import Request

from mojo.engineio.exchange import Mount, WebUpload
from mojo.errors import EngineError, PayloadTooLongError, RemoteError

_log = Logger()

_FORM_METHODS = (b"POST", b"PUT", b"PATCH")


class EngineRequest(Request):
    """
    A request whose body is measured as it comes.

    Attributes:
        channel: the connection, an `EngineChannel`.
        upload_announced: whether a mount was told of the body beforehand.
        body_left: bytes of body that may still come.
    """

    channel: Any
    upload_announced = False
    body_left: float = 0.0
    _upload_ended: Callable[[], None] | None = None

    def announce(self, mount: Mount, uri: bytes) -> None:
        """
        Tell a mount that a body is on its way.

        Raises:
            RemoteError: see `Mount.upload_begins`.
        """
        try:
            upload = WebUpload(self, uri)
        except EngineError:
            return  # which `Mount.serve` will say again
        self._upload_ended = mount.upload_begins(upload)
        self.upload_announced = self._upload_ended is not None
        self.notifyFinish().addErrback(lambda _: self._end_upload())

    def finish(self) -> None:
        """Be answered; what follows may be the next request of the connection."""
        self._end_upload()
        super().finish()

    def _end_upload(self) -> None:
        ended, self._upload_ended = self._upload_ended, None
        if ended is not None:
            ended()

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, unless that is too much."""
        self.body_left -= len(data)
        if self.body_left < 0:
            self.channel.refuse(PayloadTooLongError("request body too long"))
        else:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Read the form that came, if one did, and find the resource."""
        if self.method in _FORM_METHODS and self.channel.site.mount_at(self.path) is None:
            try:
                self._read_form()
            except RemoteError as exc:
                log_refusal(self.channel, exc)
                self.setResponseCode(exc.status)
                self.setHeader(b"content-length", b"0")
                self.finish()
                return
        super().process()

    def _read_form(self) -> None:
        # Here, since a start need not wait for what reads forms: many a server is sent none.
        from mojo.engineio.forms import read_form  # noqa: PLC0415

        kind = self.getHeader(b"content-type")
        if kind and self.content is not None and self.args is not None:
            length = self.content.seek(0, os.SEEK_END)
            self.content.seek(0)
            self.args.update(read_form(kind.decode("latin-1"), self.content, length))
            self.content.seek(0)


def log_refusal(channel: Any, error: RemoteError) -> None:
    """Tell the operator of a request that was refused."""
    _log.info(
        "refused a request from {address}: {status} {error}",
        address=getattr(channel.getPeer(), "host", "unix"),
        status=error.status,
        error=str(error),
    )
