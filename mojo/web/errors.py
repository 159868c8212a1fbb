"""The pages that say what went wrong."""

from __future__ import annotations

import html
from importlib.resources import files
from string import Template

from twisted.web.resource import Resource
from twisted.web.server import Request

_PAGE = Template((files("mojo.web") / "pages" / "error.html").read_text(encoding="utf-8"))


def error_page(status: int, reason: str, detail: str = "") -> str:
    """
    Make the page of an error.

    Args:
        status: the HTTP status code.
        reason: its words.
        detail: text for a developer, such as a traceback.
    """
    pre = f"<pre>{html.escape(detail)}</pre>" if detail else ""
    return _PAGE.substitute(title=html.escape(f"{status} {reason}"), detail=pre)


class ErrorResource(Resource):
    """
    A resource that answers every request with an error.

    Args:
        status: the HTTP status code.
        reason: its words.
    """

    isLeaf = True

    def __init__(self, status: int, reason: str) -> None:
        super().__init__()
        self._status = status
        self._body = error_page(status, reason).encode("utf-8")

    def render(self, request: Request) -> bytes:
        """Answer with the error."""
        request.setResponseCode(self._status)
        request.setHeader(b"content-type", b"text/html; charset=UTF-8")
        request.setHeader(b"x-content-type-options", b"nosniff")
        # twisted.web would log a body after a HEAD, and the whole URL with it.
        return b"" if request.method == b"HEAD" else self._body


not_found = ErrorResource(404, "Not Found")
