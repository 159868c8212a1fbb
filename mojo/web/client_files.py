"""
The official browser client, served below the shared path from where it is found.

It is never part of Mojo: it comes with npm, by ``mojo client`` or by the project's own
``package.json``, and the reference server's names are kept: ``/socket.io/socket.io.js``,
``.min.js``, ``.esm.min.js``, the msgpack build, and their source maps.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

from twisted.web.http import CACHED
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from mojo.engineio.transports.coding import choose_coding

#: Where npm puts the files, below the folder that it was told to install into.
DIST = Path("node_modules", "socket.io-client", "dist")

_BUILDS = ("socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js")
NAMES = (*_BUILDS, *(f"{name}.map" for name in _BUILDS))

_MISSING = (
    "The Socket.IO client is not installed here: run 'mojo client' in the project, "
    "or set SOCKET_IO['client_path'].\n"
)


class _File(NamedTuple):
    body: bytes
    compressed: bytes
    etag: bytes
    stamp: tuple[int, int]


class ClientFile(Resource):
    """
    One file of the client.

    Args:
        path: where it should be.
    """

    isLeaf = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: _File | None = None

    def render_GET(self, request: Request) -> bytes:
        """Send the file, or say how to get it."""
        file = self._read()
        if file is None:
            request.setResponseCode(404)
            request.setHeader(b"content-type", b"text/plain; charset=UTF-8")
            return _MISSING.encode("utf-8")
        kind = b"application/json" if self._path.suffix == ".map" else b"application/javascript"
        request.setHeader(b"content-type", kind + b"; charset=UTF-8")
        request.setHeader(b"x-content-type-options", b"nosniff")
        # A new version has the same address: it is kept, but asked for again.
        request.setHeader(b"cache-control", b"public, max-age=0")
        request.setHeader(b"vary", b"Accept-Encoding")
        if request.setETag(file.etag) is CACHED:
            return b""
        accepted = (request.getHeader(b"accept-encoding") or b"").decode("latin-1")
        if choose_coding(accepted, ("gzip",)) is not None:
            request.setHeader(b"content-encoding", b"gzip")
            return file.compressed
        return file.body

    def _read(self) -> _File | None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if self._file is None or self._file.stamp != stamp:
                body = self._path.read_bytes()
                digest = hashlib.sha256(body).hexdigest()[:32]
                etag = f'W/"{digest}"'.encode("ascii")
                self._file = _File(body, gzip.compress(body, mtime=0), etag, stamp)
        except OSError:
            self._file = None
        return self._file


def client_files(folder: Path) -> dict[bytes, IResource]:
    """Give the resources of the client's files in a folder, by their names."""
    return {name.encode("ascii"): ClientFile(folder / name) for name in NAMES}
