"""
Static files: below ``/static/``, without listings, with addresses that change with them.

`StaticFiles.url` adds a piece of the file's hash to its address; what is asked for with
the right piece may be kept for a year, and anything else is asked for again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from twisted.python.filepath import InsecurePath
from twisted.web.resource import IResource
from twisted.web.server import Request
from twisted.web.static import File

from mojo.web.errors import not_found

PREFIX = "/static/"
_YEAR = 365 * 86400


class StaticFiles:
    """
    The static files of a project.

    Args:
        folder: where they are; it need not exist.  ``None`` for none at all.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder.resolve() if folder is not None else None
        self._hashes: dict[Path, _Known] = {}

    def url(self, path: str) -> str:
        """
        Give the address of a file.

        Args:
            path: below the folder: ``"css/site.css"``.
        """
        path = path.lstrip("/")
        url = PREFIX + quote(path)
        version = self._version_of(path)
        return f"{url}?v={version}" if version else url

    def _version_of(self, path: str) -> str | None:
        """Give a piece of the hash of a file, or ``None`` if there is no such file."""
        if self._folder is None:
            return None
        file = (self._folder / path).resolve()
        if not file.is_relative_to(self._folder) or not file.is_file():
            return None
        stamp = _stamp_of(file)
        known = self._hashes.get(file)
        if known is None or known.stamp != stamp:
            with file.open("rb") as content:
                version = hashlib.file_digest(content, "sha256").hexdigest()[:12]
            known = self._hashes[file] = _Known(stamp, version)
        return known.version

    def is_current(self, file: Path, version: str) -> bool:
        """
        Tell whether that is the version that `url` gave of a file, and still gives.

        Nothing is read for it: a visitor who asks for any version of a large file must
        not make us read it.
        """
        known = self._hashes.get(file.resolve())
        return known is not None and known == _Known(_stamp_of(file), version)

    def resource(self) -> IResource:
        """Give the resource to be put below ``/static``."""
        return not_found if self._folder is None else _StaticFile(str(self._folder), self)


class _Known(NamedTuple):
    stamp: tuple[int, int]
    version: str


def _stamp_of(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_size


class _StaticFile(File):
    """One file or folder of a `StaticFiles`."""

    childNotFound = not_found  # type: ignore[assignment]

    def __init__(self, path: str, files: StaticFiles) -> None:
        super().__init__(path, defaultType="application/octet-stream")
        self._files = files

    def createSimilarFile(self, path: str) -> _StaticFile:
        """Make the resource of a child."""
        return type(self)(path, self._files)

    def directoryListing(self) -> IResource:
        """Show no folder's content."""
        return not_found

    def getChild(self, path: bytes, request: Request) -> IResource:
        """Find a child; names that begin with a dot are not for visitors."""
        if path.startswith(b"."):
            return not_found
        try:
            child: IResource = super().getChild(path, request)
        except (InsecurePath, ValueError):
            return not_found
        return child

    def render_GET(self, request: Request) -> object:
        """Send the file."""
        request.setHeader(b"x-content-type-options", b"nosniff")
        wanted = (request.args or {}).get(b"v", [b""])[0].decode("ascii", "replace")
        if wanted and self.exists() and self._files.is_current(Path(self.path), wanted):
            request.setHeader(b"cache-control", b"public, max-age=%d, immutable" % _YEAR)
        else:
            request.setHeader(b"cache-control", b"no-cache")
        return super().render_GET(request)

    render_HEAD = render_GET
